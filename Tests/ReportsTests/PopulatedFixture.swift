import Mitigation

extension Fixture {
  /// A report in which no array is empty, and every key of the format has a value somewhere.
  static func populated() -> Report {
    var image = shortKernel()
    image.error = ImageFailure(code: .malformed, message: "table cut off", offset: 0x40)
    image.sha256 = String(repeating: "0f", count: 32)
    image.kernel = KernelIdentity(
      release: "7.3.4", buildID: "6a1f", banner: "Linux version 7.3.4", architecture: .i386,
      size: 1, builtInCommandLine: "quiet", builtInOverrides: true, bootconfig: "kernel.x = 1",
      artefactCommandLine: "ro", configuration: ["CONFIG_KVM": "y"])
    image.stubs = [Substitution(symbol: "kvmclock_init", reason: "no clock is needed")]
    image.missingSites = [.int80]
    image.sequence?.variants[0].undeterminedBecause = "the run was cut short"
    image.sites = [
      Site(
        entryPoint: .syscall64, kind: .inside, image: "vmlinux", address: Address(1), symbol: "f",
        section: ".text", feature: FeatureReference(number: 674, name: "BHI_CTRL"), negated: true,
        original: HexBytes([0xb9]), replacement: HexBytes([0xba]), originalText: "mov",
        replacementText: "mov", target: "clear_bhb_loop", barrier: true)
    ]
    image.bits = [cpuidBit, msrBit]
    image.otherInfluences = [msrBit]
    image.paths = [explainedPath()]
    image.findings = [
      Finding(
        id: RuleID("BHB042"), severity: .error, message: "cut off", paths: ["a/b/silent/c"],
        locations: [Location(image: "vmlinux", address: Address(2), symbol: "g")], advice: "mend",
        followsFrom: [RuleID("BHB002")])
    ]
    image.host = host()
    var report = report([image])
    report.overrides = [
      .init(file: "cpus.json", hash: String(repeating: "ab", count: 32))
    ]
    report.gate = GateResult(
      baseline: "good.json",
      reasons: [
        GateReason(
          kind: .finding, fails: true, rule: RuleID("BHB042"), message: "cut off",
          paths: ["a/b/silent/c"])
      ])
    return report
  }

  /// A kernel whose KVM was asked, on one host in vain.
  static func hostKernel() -> ImageReport {
    var image = shortKernel()
    image.host = host()
    image.host?.undeterminedBecause = nil
    image.findings = [
      Finding(
        .wishIgnored, "KVM does not follow", paths: ["sapphire-rapids/control/silent"])
    ]
    return image
  }

  /// What a KVM says that keeps its word, and one that could not be asked.
  static func host() -> HostReport {
    var host = HostReport(contract: "kvm-hint")
    host.modules = ["kvm", "kvm_intel"]
    host.stubs = [Substitution(symbol: "kfree", reason: "nothing is taken back")]
    host.asked = [Location(image: "kvm", address: Address(0x40), symbol: "kvm_dev_ioctl")]
    host.fields = [Location(image: "kvm_intel", address: Address(0x80), symbol: "vmx_enter")]
    var able = HostOutcome(
      cpu: "sapphire-rapids", host: "control", statement: .silent,
      facts: HostFacts(
        isGuest: false, isKnownOld: false, affected: true, showsBHIControl: true,
        offersControl: true, bhiNo: false))
    able.starts = true
    able.hints = Hex32(0)
    able.promises = []
    able.ableToForce = true
    able.takesControl = true
    able.supported = CPUIDAccess(
      leaf: 0x4000_0001, subleaf: 0, eax: 0x0100_7efb, ebx: 0, ecx: 0, edx: 0)
    able.machines = [
      HostVM(wish: .nothing, accepted: true, promises: []),
      HostVM(wish: .force, accepted: true, promises: [.shortAdequate]),
      HostVM(wish: .stop, accepted: nil, promises: nil, undeterminedBecause: "it warned"),
    ]
    able.functions = ["vmx_init", "kvm_dev_ioctl"]
    able.given = ["MSR 0x492"]
    able.derived = ["host control"]
    var told = HostOutcome(
      cpu: "ice-lake-sp", host: "guest", statement: .shortAdequate,
      facts: HostFacts(
        isGuest: true, isKnownOld: false, affected: true, showsBHIControl: false,
        offersControl: false, bhiNo: false))
    told.starts = true
    told.hints = Hex32(2)
    told.promises = [.shortAdequate]
    told.ableToForce = false
    var none = told
    none.starts = false
    none.startError = -95
    none.hints = nil
    none.promises = nil
    none.ableToForce = nil
    var unknown = able
    unknown.starts = nil
    unknown.hints = nil
    unknown.promises = nil
    unknown.ableToForce = nil
    unknown.undeterminedBecause = "vmx_init: WARN at vmx_init+0x1a"
    host.hosts = [able, told, none, unknown]
    host.undeterminedBecause = "no module kvm was given"
    return host
  }

  private static let cpuidBit = ListenedBit(
    source: .cpuid, leaf: 0x4000_0001, register: .edx, bit: 3, meaning: .shortAdequate,
    contract: "kvm-short-adequate", readAt: "kvm_guest_init")

  private static let msrBit = ListenedBit(
    source: .msr, index: 0x5000_0001, bit: 0, meaning: .longRequired, contract: "virtual-msr",
    readAt: "cpu_select_mitigations")

  /// A path with everything that `--explain` and `--vulnerabilities` show.
  static func explainedPath() -> JudgedPath {
    var path = shortPaths[4]
    path.outcome.undeterminedBecause = "the sites disagree"
    path.outcome.evidence = Evidence(
      kind: .executed,
      chain: ["early_cpu_init", "parse_early_param", "init_hypervisor_platform"],
      narrowed: ["arch_cpu_finalize_init is missing: cpu_select_mitigations was called"],
      features: [FeatureReference(number: 673, name: "CLEAR_BHB_LOOP")], affected: true,
      specCtrl: 0x401, log: ["Spectre V2 : Spectre BHI mitigation: SW BHB clearing on syscall"],
      disagreements: ["the log says loop, the sites say nothing"],
      given: ["MSR 0x10a"], derived: ["leaf 7"])
    path.outcome.vulnerabilities = [
      "spectre_v2": path.outcome.sysfs ?? "", "mds": "Not affected",
    ]
    var trace = Trace()
    trace.functions = ["early_cpu_init", "cpu_select_mitigations"]
    trace.cpuid = [CPUIDAccess(leaf: 7, subleaf: 2, eax: 0, ebx: 0, ecx: 0, edx: 0x10)]
    trace.msrs = [
      MSRAccess(kind: .read, index: Hex32(0x10a), value: 0x2000_000b),
      MSRAccess(kind: .read, index: Hex32(0xcf), value: nil),
      MSRAccess(kind: .write, index: Hex32(0x48), value: 0x401),
    ]
    trace.log = ["Command line: quiet", "Spectre V2 : Mitigation: Enhanced / Automatic IBRS"]
    trace.warnings = ["WARN at setup_force_cpu_cap+0x1f"]
    trace.staticCalls = [
      StaticCallUpdate(key: "vmscape_predictor_flush", target: "clear_bhb_loop_nofence")
    ]
    trace.sites = [
      PatchedSite(
        entryPoint: .syscall64, address: 0xffff_ffff_8200_008d, symbol: "entry_SYSCALL_64+0x8d",
        bytes: HexBytes([0xe8, 0x12, 0x34, 0x56, 0xff]), text: "call clear_bhb_loop",
        runsSequence: true)
    ]
    trace.sequence = shortVariant
    trace.sequence?.undeterminedBecause = "cut short"
    trace.blocks = 4711
    trace.skippedInstructions = ["xsetbv at fpu__init_cpu_xstate+0x31"]
    path.outcome.trace = trace
    return path
  }
}
