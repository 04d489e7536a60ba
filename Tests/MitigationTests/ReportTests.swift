import Mitigation
import Testing

@Suite struct ReportTests {
  @Test func anEmptyReportKeepsEveryKey() throws {
    let report = Report(tool: .init(name: "bhbcheck", version: "1.0"), images: [])
    #expect(
      try json(report) == """
        {"contracts":[],"format_version":1,"images":[],"overrides":[],"policy":null,\
        "tool":{"name":"bhbcheck","version":"1.0"}}
        """)
    #expect(try roundTrip(report) == report)
  }

  @Test func aFailedImageKeepsEveryKey() throws {
    var image = ImageReport(path: "boot/vmlinuz")
    image.error = ImageFailure(code: .truncated, message: "cut off", offset: 0x1f1)
    #expect(
      try json(image) == """
        {"bits":null,"error":{"code":"truncated","message":"cut off",\
        "offset":"0x00000000000001f1"},"findings":[],"host":null,"kernel":null,"missing_sites":[],\
        "notes":[],"other_influences":null,"path":"boot/vmlinuz","paths":[],"sequence":null,\
        "sha256":null,"sites":[],"stubs":[],"symbols_from":null,"unknown_sites":[]}
        """)
    #expect(try roundTrip(image) == image)
  }

  @Test func aDocumentFromBeforeHostsWereAskedIsRead() throws {
    let image = ImageReport(path: "boot/vmlinuz")
    let old = try json(image).replacing(#""host":null,"#, with: "")
    #expect(!old.contains("host"))
    #expect(try decode(old, as: ImageReport.self) == image)
  }

  @Test func aHostThatCouldNotBeAskedLeavesTheReportUndetermined() {
    var image = ImageReport(path: "boot/vmlinuz")
    #expect(!image.hasUndeterminedPath)
    var host = HostReport(contract: "c")
    image.host = host
    #expect(!image.hasUndeterminedPath)
    host.undeterminedBecause = "no module"
    image.host = host
    #expect(image.hasUndeterminedPath)
  }

  @Test func aPathIsWrittenWithItsIdAndReadBackWithoutIt() throws {
    let judged = Self.judged
    let text = try json(judged)
    #expect(text.contains(#""id":"haswell/kvm/short-adequate/default""#))
    #expect(try decode(text, as: JudgedPath.self) == judged)
  }

  @Test func aReportComesBackUnchanged() throws {
    var image = ImageReport(path: "vmlinux")
    image.kernel = KernelIdentity(
      release: "7.3.4", buildID: "00ff", banner: "Linux version 7.3.4", architecture: .amd64,
      size: 1 << 40, configuration: ["CONFIG_KVM": "m"])
    image.symbolsFrom = .kallsyms
    image.sequence = ClearingSequence(
      symbol: "clear_bhb_loop", address: Address(.max), size: 85, shape: .variable,
      variants: [SequenceVariant(outer: 5, inner: 5, selectedBy: "bhb_seq_outer_loop = 5")],
      returns: [ReturnPlacement(address: Address(1), lastByteInLine: 63)])
    image.bits = [
      ListenedBit(
        source: .cpuid, leaf: 0x4000_0001, register: .edx, bit: 31, meaning: .longRequired,
        contract: nil, readAt: nil)
    ]
    image.paths = [Self.judged]
    let report = Report(
      tool: .init(name: "bhbcheck", version: "1"), policy: "default", contracts: ["kvm"],
      overrides: [.init(file: "cpus.json", hash: "00")], images: [image])
    #expect(try roundTrip(report) == report)
  }

  @Test func anUnknownValueOfAClosedListIsRefused() {
    #expect(throws: DecodingError.self) { try decode(#""medium""#, as: SequenceClass.self) }
    #expect(throws: DecodingError.self) { try decode(#""maybe""#, as: Verdict.self) }
    #expect(throws: DecodingError.self) {
      try decode(#"{"sysret":1}"#, as: [EntryPoint: Int].self)
    }
  }

  @Test func severitiesAreOrdered() {
    #expect(Severity.note < .warning)
    #expect(Severity.warning < .error)
    #expect(Severity.allCases.max() == .error)
  }

  private static let judged: JudgedPath = {
    var trace = Trace()
    trace.functions = ["early_cpu_init"]
    trace.msrs = [
      MSRAccess(kind: .read, index: Hex32(0x10a), value: nil),
      MSRAccess(kind: .write, index: Hex32(0x48), value: 0x400),
    ]
    trace.cpuid = [CPUIDAccess(leaf: 7, subleaf: 2, eax: 0, ebx: 0, ecx: 0, edx: .max)]
    trace.sites = [
      PatchedSite(
        entryPoint: nil, address: 1, symbol: "f", bytes: HexBytes([0x90]), text: "nop",
        runsSequence: false)
    ]
    return JudgedPath(
      path: BootPath(
        cpu: "haswell", environment: "kvm", statement: .shortAdequate, commandLineName: "default",
        commandLine: "quiet"),
      verdict: .adequate,
      outcome: Outcome(
        sysfs: "Mitigation: Retpolines; BHI: Retpoline",
        evidence: Evidence(affected: true, specCtrl: 0x400),
        vulnerabilities: ["spectre_v2": "Mitigation: Retpolines"], trace: trace),
      entryPoints: [
        .vmexit: EntryPointOutcome(mechanism: nil, sequence: nil),
        .syscall64: EntryPointOutcome(
          mechanism: .retpoline, sequence: SelectedSequence.none, required: .retpoline,
          verdict: .adequate),
      ])
  }()
}
