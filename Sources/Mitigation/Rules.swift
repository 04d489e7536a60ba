extension Rule {
  /// All rules, in the order of their ids. An id is never used again for something else.
  public static let all: [Rule] =
    sequenceRules + detectionRules + pathRules + codeRules
    + remarks.filter { $0.id < .unjustifiedPromise } + hostRules
    + remarks.filter { $0.id > .unjustifiedPromise }

  /// The rule with an id; nil if no rule has it.
  public static func of(_ id: RuleID) -> Rule? { all.first { $0.id == id } }

  private init(
    _ id: RuleID, _ severity: Severity, _ title: String, why: String, advice: String
  ) {
    self.init(id: id, severity: severity, title: title, why: why, advice: advice)
  }

  private static let sequenceRules: [Rule] = [
    Rule(
      .noSequence, .error, "no clearing sequence in the image",
      why:
        "Without it a CPU that has no hardware control and runs no retpolines keeps the branch "
        + "history of user space or of a guest across the entry, where it can steer the kernel's "
        + "indirect branches.",
      advice:
        "Use a kernel that has the BHI mitigation (6.9, or a stable series with it backported); "
        + "in one that has it, check CONFIG_MITIGATION_SPECTRE_BHI."),
    Rule(
      .noLongSequence, .error, "no long sequence in the image",
      why:
        "Five rounds of five branches do not overwrite the longer history of Alder Lake, "
        + "Sapphire Rapids and newer cores. A guest may run on one without seeing it.",
      advice: "Take a kernel, or a patch, with a sequence of at least 12 by 7 rounds."),
    Rule(
      .longNeverRuns, .error, "a long sequence is there, but no boot path runs it",
      why:
        "Where BHI_CTRL selects the long sequence, the kernel sets BHI_DIS_S and runs none; where "
        + "it is hidden, the short one is selected. The long one is then dead code.",
      advice:
        "Make the choice depend on what a guest can know of the hardware underneath, not on "
        + "BHI_CTRL alone."),
  ]

  private static let detectionRules: [Rule] = [
    Rule(
      .noDetection, .error, "no bit of a hypervisor influences the choice",
      why:
        "Only the hypervisor knows where a guest may run. A kernel that does not listen has to "
        + "guess from CPUID, which a hypervisor makes up.",
      advice: "Read the paravirt bit of the contract, and take silence for the long sequence."),
    Rule(
      .bitWithoutEffect, .error, "a hypervisor's bit is looked at, but has no effect",
      why:
        "The code that asks for the bit runs, yet the same sequence is selected either way: the "
        + "answer is lost on its way to the choice.",
      advice:
        "Follow the value from where it is read to the feature or the counts that decide; see "
        + "`--explain`."),
    Rule(
      .invertedPolarity, .error, "the bit's polarity is inverted",
      why:
        "Hypervisors of today say nothing. If silence selects the short sequence, every guest on "
        + "them is unprotected on newer cores, and the bit that permits the short one forbids it.",
      advice: "Select the long sequence unless the bit that means short-adequate is set."),
    Rule(
      .bitOutOfPlace, .error, "the bit counts where it must not",
      why:
        "Behind BHI_CTRL, on bare metal, under another hypervisor's signature or in a confidential "
        + "guest the same bit means something else, or comes from somebody who is not trusted.",
      advice:
        "Check HYPERVISOR, the hypervisor's signature and the confidential guest's type before "
        + "the bit is read."),
    Rule(
      .longRequiredIgnored, .error, "long-required is ignored, or loses against short-adequate",
      why:
        "A VMM that leaves BHI_DIS_S to its guest says so with this statement. A guest that does "
        + "not follow it runs a sequence that does not clear the history.",
      advice: "Evaluate long-required after short-adequate, so that it wins."),
    Rule(
      .wrongBit, .error, "the build listens to another bit than the contract asked for",
      why:
        "A bit of another leaf, register or position belongs to another feature; a hypervisor that "
        + "sets it for that feature's sake shortens the sequence.",
      advice: "Compare the leaf, the register and the bit with the contract's."),
  ]

  private static let pathRules: [Rule] = [
    Rule(
      .silentGuestShort, .error, "a silent guest gets the short sequence",
      why:
        "Old hypervisors say nothing, also on Alder Lake and newer hosts, where the short sequence "
        + "is not effective. Silence has to mean long.",
      advice: "Let guests run the long sequence unless their hypervisor states short-adequate."),
    Rule(
      .belowPolicy, .error, "a boot path gets less than the policy requires",
      why:
        "What the kernel selects there does not clear, or does not isolate, the branch history on "
        + "the CPUs that the path stands for.",
      advice: "See the path's evidence with `--explain`; compare its requirement with the outcome."),
    Rule(
      .falseClaim, .error, "sysfs claims a mitigation that is inadequate",
      why:
        "Administrators and scanners read that line. Where it says mitigated and is wrong, nobody "
        + "looks further.",
      advice: "Select the sequence that the claim stands for, or report the path as vulnerable."),
    Rule(
      .offByBuild, .warning, "switched off by the build, not by its user",
      why:
        "An option of the configuration (no KVM, a built-in command line, the mitigation left out) "
        + "disables the protection although nobody who boots the kernel chose that.",
      advice:
        "Change the option that the evidence names, or add the mitigation to the command line where "
        + "the kernel lets it win."),
    Rule(
      .wronglyNotAffected, .error, "the image takes an affected CPU for not affected",
      why:
        "The kernel's table of unaffected CPUs decides before everything else; a CPU listed there "
        + "wrongly gets no protection at all.",
      advice: "Compare cpu_vuln_whitelist and the tests of BHI_NO with the vendor's list."),
    Rule(
      .unprovenRetpoline, .warning, "a silent guest relies on retpolines that nothing proves",
      why:
        "Retpolines do not hold where returns are predicted from the branch target buffer (RRSBA). "
        + "A guest that shows an old CPU on a newer host does not see that.",
      advice:
        "Have the hypervisor show RRSBA or state what suffices, or select the long sequence as "
        + "well."),
  ]

  private static let codeRules: [Rule] = [
    Rule(
      .deficientCounts, .error, "the sequence runs too few rounds",
      why: "Fewer than 5 by 5 rounds overwrite the history of no core.",
      advice:
        "Restore the counts: at least 5 by 5 before Alder Lake and Sapphire Rapids, at least "
        + "12 by 7 from there on."),
    Rule(
      .noBarrier, .error, "no speculation barrier is reached after the sequence",
      why:
        "Until the loop has retired, code behind it may run speculatively with the old history.",
      advice:
        "End the sequence with LFENCE, or put one behind every call of the variant without it that "
        + "enters the kernel."),
    Rule(
      .returnInLowerHalf, .warning,
      "a RET of the sequence ends in the lower half of its cache line",
      why:
        "With Indirect Target Selection a return whose last byte lies in the first 32 bytes of a "
        + "line can be predicted like an indirect branch.",
      advice: "Correct the alignment and the padding in front of the return."),
    Rule(
      .missingSite, .error, "an entry point of this kernel has no site",
      why: "What enters there keeps its branch history, whatever sysfs says.",
      advice: "Put CLEAR_BRANCH_HISTORY at the entry point."),
    Rule(
      .wrongFeature, .error, "a site hangs on the wrong feature",
      why:
        "It is patched when another feature is set, so it runs the sequence on the wrong paths and "
        + "is missing on the right ones.",
      advice: "Give the alternative the feature that the entry points of its kind share."),
    Rule(
      .malformedTable, .error, "the table of alternatives is malformed",
      why:
        "The kernel patches itself by this table. A wrong entry overwrites other code or crashes "
        + "the boot, and what it says of the sites cannot be relied on.",
      advice: "Build the image again; if it comes from a tool that rewrites images, check that."),
    Rule(
      .forcedTooLate, .error, "a feature is forced after the alternatives were patched",
      why:
        "The sites in the image stay as they were, while sysfs and modules that are loaded later "
        + "follow the feature: the claim and the code part.",
      advice: "Decide before alternative_instructions() runs."),
  ]

  private static let hostRules: [Rule] = [
    Rule(
      .unjustifiedPromise, .error, "KVM promises short-adequate where nothing justifies it",
      why:
        "The host is no known core from before Alder Lake, nobody below told it so, and nothing "
        + "forces BHI_DIS_S. A VMM that passes the promise on leaves guests with too short a "
        + "sequence.",
      advice:
        "Return the hint only for a known old core on bare metal, for a guest that was told it, or "
        + "for a VM for which BHI_DIS_S is forced."),
    Rule(
      .hintListedAsSupported, .error, "KVM lists the hint itself as supported CPUID",
      why:
        "KVM_GET_SUPPORTED_CPUID knows no VM and no pool of hosts, and VMMs pass what it lists "
        + "through: every guest would be told so, wherever it runs.",
      advice: "Leave the hint out of KVM_GET_SUPPORTED_CPUID; answer it as a capability."),
    Rule(
      .forcingWithoutMeans, .error, "KVM says that it can force BHI_DIS_S and lacks the means",
      why:
        "It takes BHI_CTRL and the VMX control that virtualizes SPEC_CTRL: without them a guest "
        + "clears the bit by writing the register.",
      advice:
        "Tie the answer to BHI_CTRL and to the tertiary control as it stands in vmcs_config."),
    Rule(
      .meansNotOffered, .warning, "KVM uses the control and does not say that it can force",
      why:
        "It sets SPEC_CTRL apart from the guest's view, and userspace that asks is told that this "
        + "cannot be had: guests run the long sequence for nothing.",
      advice: "Answer the capability by what hardware setup found."),
    Rule(
      .wishIgnored, .error, "what KVM promises a VM does not follow what was asked for it",
      why:
        "A VM for which forcing was stopped must not be promised what rests on it, and one for "
        + "which KVM agreed to force has to be told.",
      advice:
        "Let KVM_CHECK_EXTENSION of the VM and the setting of KVM_ENABLE_CAP read the same state."),
    Rule(
      .promisesNothing, .note, "KVM promises nothing on any host",
      why:
        "A VMM learns nothing from this kernel, and has to leave guests without the hint: they run "
        + "the long sequence.",
      advice: "Nothing has to be done. Kernels without these capabilities all do so."),
  ]

  private static let remarks: [Rule] = [
    Rule(
      .excessive, .note, "long where short would do",
      why: "It is safe, and costs time at every entry into the kernel.",
      advice: "Nothing has to be done. A statement of the hypervisor could spare it."),
    Rule(
      .undetermined, .warning, "paths that could not be determined",
      why: "Undetermined is not adequate: nobody knows what these paths run.",
      advice: "See the reason with `--explain`; report it if it is a limit of this tool."),
    Rule(
      .codeNotRun, .warning, "code that was not run could still change the choice",
      why:
        "It writes the counts or forces a feature after the point where the machine stopped, so the "
        + "outcomes hold only if it does not run.",
      advice: "Read the functions named; confirm with `boot`."),
    Rule(
      .hostUndetermined, .warning, "hosts on which KVM could not be asked",
      why: "What it would promise there is unknown, which is not the same as nothing.",
      advice: "See the reason; give kvm.ko and kvm-intel.ko where KVM is not built in."),
  ]
}

extension RuleID {
  public static let noSequence = RuleID("BHB001")
  public static let noLongSequence = RuleID("BHB002")
  public static let longNeverRuns = RuleID("BHB003")
  public static let noDetection = RuleID("BHB010")
  public static let bitWithoutEffect = RuleID("BHB011")
  public static let invertedPolarity = RuleID("BHB012")
  public static let bitOutOfPlace = RuleID("BHB013")
  public static let longRequiredIgnored = RuleID("BHB014")
  public static let wrongBit = RuleID("BHB015")
  public static let silentGuestShort = RuleID("BHB020")
  public static let belowPolicy = RuleID("BHB021")
  public static let falseClaim = RuleID("BHB022")
  public static let offByBuild = RuleID("BHB023")
  public static let wronglyNotAffected = RuleID("BHB024")
  public static let unprovenRetpoline = RuleID("BHB025")
  public static let deficientCounts = RuleID("BHB030")
  public static let noBarrier = RuleID("BHB031")
  public static let returnInLowerHalf = RuleID("BHB032")
  public static let missingSite = RuleID("BHB040")
  public static let wrongFeature = RuleID("BHB041")
  public static let malformedTable = RuleID("BHB042")
  public static let forcedTooLate = RuleID("BHB043")
  public static let excessive = RuleID("BHB050")
  public static let unjustifiedPromise = RuleID("BHB060")
  public static let hintListedAsSupported = RuleID("BHB061")
  public static let forcingWithoutMeans = RuleID("BHB062")
  public static let meansNotOffered = RuleID("BHB063")
  public static let wishIgnored = RuleID("BHB064")
  public static let promisesNothing = RuleID("BHB065")
  public static let undetermined = RuleID("BHB090")
  public static let codeNotRun = RuleID("BHB091")
  public static let hostUndetermined = RuleID("BHB092")
}

extension RuleID {
  /// Whether it is about what KVM says, and so about the guests of this kernel, not about itself.
  public var isAboutHosts: Bool {
    (Self.unjustifiedPromise...Self.promisesNothing).contains(self) || self == .hostUndetermined
  }
}

extension Finding {
  /// A finding with the severity and the advice of its rule.
  ///
  /// `severity` replaces the rule's where design says that it depends (BHB010 is a warning where
  /// every silent guest gets the long sequence anyway).
  public init(
    _ id: RuleID, _ message: String, severity: Severity? = nil, paths: [String] = [],
    locations: [Location] = [], followsFrom: [RuleID] = []
  ) {
    let rule = Rule.of(id)
    self.init(
      id: id, severity: severity ?? rule?.severity ?? .error, message: message, paths: paths,
      locations: locations, advice: rule?.advice ?? "", followsFrom: followsFrom)
  }
}
