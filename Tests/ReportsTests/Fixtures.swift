import Mitigation
import Testing

/// A report with a name, so that a test's output names it and does not print it whole.
struct NamedReport: Sendable, CustomTestStringConvertible {
  var name: String
  var report: Report
  var testDescription: String { name }

  static let all = [
    NamedReport(name: "no image", report: Fixture.report([])),
    NamedReport(name: "every field", report: Fixture.populated()),
    NamedReport(
      name: "a failed image", report: Fixture.report([Fixture.failedImage()], policy: nil)),
    NamedReport(
      name: "several images",
      report: Fixture.report([
        Fixture.shortKernel(), Fixture.absentKernel(), Fixture.failedImage(),
        Fixture.undeterminedKernel(),
      ])),
    NamedReport(name: "a host", report: Fixture.report([Fixture.hostKernel()])),
  ]
}

/// Reports made by hand, with the figures of real kernels where there are any.
enum Fixture {
  static func report(_ images: [ImageReport], policy: String? = "default") -> Report {
    Report(
      tool: .init(name: "bhbcheck", version: "1.0.0"), policy: policy,
      contracts: ["kvm-short-adequate"], images: images)
  }

  /// A kernel as Debian ships it: short, four sites in vmlinux and one in kvm-intel.
  static func shortKernel() -> ImageReport {
    var image = ImageReport(path: "vmlinuz-6.12.117-cloud-amd64")
    image.kernel = KernelIdentity(
      release: "6.12.117-cloud-amd64", buildID: "6a1f00c0ffee00112233445566778899aabbccdd",
      banner: "Linux version 6.12.117-cloud-amd64 (gcc-14) #1 SMP PREEMPT_DYNAMIC",
      architecture: .amd64, size: 45_678_912, builtInCommandLine: "", builtInOverrides: false,
      configuration: ["CONFIG_KVM": "m", "CONFIG_MITIGATION_SPECTRE_BHI": "y"])
    image.symbolsFrom = .kallsyms
    image.sequence = ClearingSequence(
      symbol: "clear_bhb_loop", address: Address(0xffff_ffff_8200_1c80), size: 85,
      shape: .immediate, variants: [shortVariant],
      returns: [
        ReturnPlacement(address: Address(0xffff_ffff_8200_1cbf), lastByteInLine: 63),
        ReturnPlacement(address: Address(0xffff_ffff_8200_1ca4), lastByteInLine: 36),
      ])
    image.sites = sites
    image.unknownSites = [.exitToUser]
    image.bits = []
    image.otherInfluences = []
    image.paths = shortPaths
    image.findings = shortFindings
    image.notes = ["symbols of kallsyms agree with __ksymtab on 11223 names"]
    return image
  }

  static let shortVariant: SequenceVariant = {
    var branches = BranchCounts()
    branches.call = 6
    branches.jump = 33
    branches.conditionalTaken = 24
    branches.conditionalNotTaken = 6
    branches.ret = 7
    return SequenceVariant(
      outer: 5, inner: 5, barrier: true, selectedBy: "always", branches: branches,
      instructions: 160)
  }()

  /// A kernel from before the mitigation.
  static func absentKernel() -> ImageReport {
    var image = ImageReport(path: "vmlinuz-5.10.262")
    image.kernel = KernelIdentity(
      release: "5.10.262", buildID: nil, banner: nil, architecture: .amd64, size: nil)
    image.symbolsFrom = SymbolSource.none
    image.sequence = .absent
    image.missingSites = [.syscall64]
    image.findings = [
      Finding(
        id: RuleID("BHB001"), severity: .error, message: "The image has no clearing sequence.",
        advice: "Build a kernel that has clear_bhb_loop.")
    ]
    return image
  }

  typealias SymbolSource = ImageReport.SymbolSource

  static func failedImage() -> ImageReport {
    var image = ImageReport(path: "cut-off.img")
    image.error = ImageFailure(
      code: .truncated, message: "expected 8388608 bytes of payload, found 4096", offset: 0x4e20)
    return image
  }

  /// One path ran into a limit, and the image's texts try to reach the terminal.
  static func undeterminedKernel() -> ImageReport {
    var image = ImageReport(path: "evil\u{1b}[2J\nvmlinuz")
    image.kernel = KernelIdentity(
      release: "7.3.4", buildID: "00", banner: "Linux\u{1b}]0;owned\u{7}\nversion\u{202e}",
      architecture: nil, size: 4096, builtInCommandLine: "nospectre_v2", builtInOverrides: true)
    image.sequence = ClearingSequence(
      symbol: "clear_bhb_loop", address: nil, size: nil, shape: .caller,
      variants: [
        SequenceVariant(selectedBy: "its callers", undeterminedBecause: "no caller was found")
      ])
    image.missingSites = [.syscall64, .int80]
    image.paths = [
      path(
        "zen5", "bare-metal", verdict: .undetermined, sysfs: nil,
        undetermined: "the step limit was reached in parse_topology", [:]),
      path(
        "haswell", "bare-metal", verdict: .undetermined,
        sysfs: "Vulnerable: eIBRS with unprivileged eBPF",
        [
          .syscall64: EntryPointOutcome(
            mechanism: nil, sequence: nil, required: .shortOrLong, verdict: .undetermined)
        ]),
    ]
    image.findings = [
      Finding(
        id: RuleID("BHB090"), severity: .warning, message: "Two paths could not be determined.",
        paths: image.paths.map(\.path.id), advice: "Run them under QEMU.")
    ]
    return image
  }

  static func path(
    _ cpu: String, _ environment: String, _ statement: Statement = .silent,
    line: (name: String, text: String) = ("default", ""), verdict: Verdict?, sysfs: String?,
    undetermined: String? = nil, _ entryPoints: [EntryPoint: EntryPointOutcome]
  ) -> JudgedPath {
    JudgedPath(
      path: BootPath(
        cpu: cpu, environment: environment, statement: statement, commandLineName: line.name,
        commandLine: line.text),
      verdict: verdict,
      outcome: Outcome(
        sysfs: sysfs,
        evidence: Evidence(
          chain: ["early_cpu_init", "arch_cpu_finalize_init"],
          features: [FeatureReference(number: 673, name: "CLEAR_BHB_LOOP")], affected: true,
          given: [], derived: ["profile \(cpu)"]),
        undeterminedBecause: undetermined),
      entryPoints: entryPoints)
  }

  /// The same outcome at each of the entry points.
  static func everywhere(
    _ mechanism: Mechanism, _ sequence: SelectedSequence, _ required: Requirement,
    _ verdict: Verdict,
    at points: [EntryPoint] = [.syscall64, .sysenterCompat, .int80, .vmexit, .bpf]
  ) -> [EntryPoint: EntryPointOutcome] {
    let outcome = EntryPointOutcome(
      mechanism: mechanism, sequence: sequence, required: required, verdict: verdict)
    var outcomes = Dictionary(uniqueKeysWithValues: points.map { ($0, outcome) })
    outcomes[.bpf]?.followedByIBHF = mechanism == .sequence
    return outcomes
  }
}
