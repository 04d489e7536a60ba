public import Mitigation

/// One boot path for a machine to run.
public struct BootRequest: Sendable {
  public var processor: Processor
  /// The command line that the kernel parses: what the boot loader gave, with what the image adds.
  public var commandLine: String
  /// Whether the outcome is to hold the trace.
  public var wantsTrace: Bool
  /// Whether the outcome is to hold the lines of all vulnerability files.
  public var wantsVulnerabilities: Bool
  /// What to run behind the decision.
  public var late: [LateStep]
  /// Whether the result is to say what was read that a hypervisor answers.
  public var wantsReads: Bool
  /// What stands in the guest in place of what the image holds.
  public var patches: [Patch]
  /// Bits of memory, by the address of their byte, that are inverted where the boot has come to its
  /// end: to see whether what is chosen is read from them.
  public var flipped: [UInt64: UInt8] = [:]
  /// How many basic blocks may run; nil: more than any kernel needs.
  public var blockLimit: Int?
  /// Whether the result is to hold what ran.
  public var wantsRecord: Bool
  /// Whether the result is to hold the code of sequence and sites as the kernel patched it.
  public var wantsCode = false
  /// Whether the result is to hold the state that boot code left.
  public var wantsState: Bool

  public init(
    processor: Processor, commandLine: String, wantsTrace: Bool = false,
    wantsVulnerabilities: Bool = false, late: [LateStep] = [], wantsReads: Bool = false,
    patches: [Patch] = [], blockLimit: Int? = nil, wantsRecord: Bool = false,
    wantsState: Bool = false
  ) {
    self.processor = processor
    self.commandLine = commandLine
    self.wantsTrace = wantsTrace
    self.wantsVulnerabilities = wantsVulnerabilities
    self.late = late
    self.wantsReads = wantsReads
    self.patches = patches
    self.blockLimit = blockLimit
    self.wantsRecord = wantsRecord
    self.wantsState = wantsState
  }
}

/// What came of a boot path.
public struct BootResult: Sendable, Hashable {
  public var outcome: Outcome
  public var entryPoints: [EntryPoint: EntryPointOutcome]
  /// The sequence as it would run after this boot; nil if the image has none.
  public var sequence: SequenceVariant?
  /// What running the late steps changed; nil if there were none, or the path did not get there.
  public var late: LateResult?
  /// What boot code read that a hypervisor answers, if that was wanted.
  public var reads: [BootRead] = []
  /// A digest of what boot code ran and printed: where it differs, something else happened.
  public var course: UInt64 = 0
  /// How many basic blocks ran.
  public var blocks = 0
  /// Whether it was given up because more ran than the limit says.
  public var ranTooLong = false
  /// The sequence as each site runs it, in the order of the sites; nil for those that do not.
  public var siteVariants: [SequenceVariant?] = []
  /// What ran, if that was asked for.
  public var record: PathRecord?
  /// What boot code left behind, if that was asked for.
  public var state: BootState?
  /// The code of the sequence's functions and of the sites in vmlinux after the kernel patched it,
  /// if that was asked for.
  public var code: [PatchedCode] = []

  public init(
    outcome: Outcome, entryPoints: [EntryPoint: EntryPointOutcome], sequence: SequenceVariant?
  ) {
    self.outcome = outcome
    self.entryPoints = entryPoints
    self.sequence = sequence
  }
}

/// Code of the image as the kernel's own patching left it.
public struct PatchedCode: Sendable, Hashable {
  /// The symbol, or the entry point of a site.
  public var name: String
  /// Whether it is a site, and not the sequence itself.
  public var isSite: Bool
  public var address: UInt64
  public var bytes: [UInt8]
}
