import KernelImage
import Mitigation
import Testing

@testable import Alternatives

/// A kernel with the sequence, and code around it that each test adds.
private struct SiteKernel {
  var tiny = TinyKernel()
  var text: Assembly
  var replacements: Assembly
  var table = Assembly(at: TinyKernel.base + 0x2000)
  let sequence: UInt64
  var extra: [(String, [UInt8])] = []

  init(_ code: SequenceCode = SequenceCode()) {
    sequence = TinyKernel.base
    text = Assembly(at: TinyKernel.base)
    replacements = Assembly(at: TinyKernel.base + 0x1000)
    for byte in code.bytes(at: sequence) { text.emit(byte) }
    text.pad(to: 0x200)
    tiny.symbol("clear_bhb_loop", sequence)
  }

  /// Code under a name; returns where it begins.
  @discardableResult
  mutating func function(_ name: String, _ body: (inout Assembly) -> Void) -> UInt64 {
    let start = text.here
    tiny.symbol(name, start)
    body(&text)
    text.emit(0xC3)
    return start
  }

  /// A site of NOPs under a name, with a replacement.
  mutating func site(
    _ name: String, feature: UInt16 = 673, length: Int = 5, behind: [UInt8] = [],
    _ body: (inout Assembly) -> Void
  ) {
    let site = function(name) { code in
      for _ in 0..<length { code.emit(0x90) }
      behind.forEach { code.emit($0) }
    }
    let replacement = replacements.here
    body(&replacements)
    let entry = table.here
    func field(_ value: UInt64) {
      let low = UInt32(truncatingIfNeeded: value)
      for shift in [0, 8, 16, 24] { table.emit(UInt8(truncatingIfNeeded: low >> UInt32(shift))) }
    }
    field(site &- entry)
    field(replacement &- (entry + 4))
    table.emit(UInt8(feature & 0xFF), UInt8(feature >> 8), 0, 0)
    table.emit(UInt8(length), UInt8(replacements.here - replacement))
  }

  func analysis() throws -> StaticAnalysis {
    var tiny = tiny
    tiny.add(".text", text.bytes, isExecutable: true)
    tiny.add(".altinstr_replacement", replacements.bytes + [0x90], isExecutable: true)
    tiny.add(".altinstructions", table.bytes)
    for (name, bytes) in extra { tiny.add(name, bytes) }
    return try StaticAnalysis(try tiny.image())
  }
}

@Suite("Sites")
struct SiteFinderTests {
  @Test("an alternative, with the counts that its replacement loads and the fence behind the call")
  func alternative() throws {
    var kernel = SiteKernel(SequenceCode(outerLoad: [], innerLoad: [0x89, 0xD0], ending: [0x90]))
    kernel.site("entry_SYSCALL_64_after_hwframe", length: 18) { code in
      code.emit(0xB9, 12, 0, 0, 0)
      code.emit(0xBA, 7, 0, 0, 0)
      code.branch(0xE8, to: TinyKernel.base)
      code.emit(0x0F, 0xAE, 0xE8)
    }
    let analysis = try kernel.analysis()
    let found = try #require(analysis.survey.sites.first)
    #expect(analysis.survey.sites.count == 1)
    #expect(found.site.kind == .alternative)
    #expect(found.site.entryPoint == .syscall64)
    #expect(found.site.target == "clear_bhb_loop")
    #expect(found.site.barrier == true)
    #expect(found.site.feature == FeatureReference(number: 673, name: "CLEAR_BHB_LOOP"))
    #expect(
      found.site.replacementText
        == "movl $0xc, %ecx; movl $7, %edx; callq clear_bhb_loop; lfence")
    #expect(found.replacement?.loads.map(\.value) == [12, 7])
    #expect(analysis.functions.primary?.shape == .caller)
    #expect(!analysis.findings.contains { $0.id == .noBarrier })
  }

  @Test("a feature's number has no name where nothing proves its meaning")
  func unproven() throws {
    var kernel = SiteKernel()
    kernel.site("entry_SYSCALL_64", feature: 676) { $0.branch(0xE8, to: TinyKernel.base) }
    kernel.site("somewhere_else") { $0.branch(0xE8, to: TinyKernel.base) }
    let sites = try kernel.analysis().sites
    #expect(sites.map(\.feature?.name) == [nil, nil])
    #expect(sites.map(\.entryPoint) == [.syscall64, nil])
  }

  @Test("without LFENCE in the sequence it may stand behind the site, in front of any branch")
  func barrierBehind() throws {
    var kernel = SiteKernel(SequenceCode(ending: [0x90]))
    kernel.site("entry_SYSCALL_64", behind: [0x90, 0x0F, 0xAE, 0xE8]) {
      $0.branch(0xE8, to: TinyKernel.base)
    }
    let fenced = try kernel.analysis().findings
    #expect(!fenced.contains { $0.id == .noBarrier })
    kernel.site("int80_emulation", behind: [0xFF, 0xD0, 0x0F, 0xAE, 0xE8]) {
      $0.branch(0xE8, to: TinyKernel.base)
    }
    let findings = try kernel.analysis().findings
    let finding = try #require(findings.first { $0.id == .noBarrier })
    #expect(finding.locations.map(\.symbol) == ["int80_emulation"])
  }

  @Test("a direct call is found, the same bytes inside another instruction are not")
  func directCall() throws {
    var kernel = SiteKernel()
    kernel.function("__vmx_vcpu_run") { code in
      code.emit(0x55)
      code.branch(0xE8, to: TinyKernel.base)
    }
    kernel.function("decoy") { code in
      // movabs: the call is its immediate.
      code.emit(0x48, 0xB8)
      code.branch(0xE8, to: TinyKernel.base)
      code.emit(0, 0, 0)
    }
    let sites = try kernel.analysis().sites
    #expect(sites.map(\.kind) == [.direct])
    #expect(sites.first?.entryPoint == .vmexit)
    #expect(sites.first?.symbol == "__vmx_vcpu_run+0x1")
    #expect(sites.first?.originalText == "callq clear_bhb_loop")
  }

  @Test("the JIT's references are one site, other loads of the address are none")
  func jit() throws {
    let low = UInt32(truncatingIfNeeded: TinyKernel.base)
    let bytes = [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: low >> UInt32($0)) }
    var kernel = SiteKernel()
    kernel.function("vmscape_apply_mitigation") { code in
      code.emit(0x48, 0xC7, 0xC6)
      bytes.forEach { code.emit($0) }
    }
    let start = kernel.function("do_jit") { code in
      code.emit(0x90, 0x48, 0xC7, 0xC6)
      bytes.forEach { code.emit($0) }
      code.emit(0xBE)
      bytes.forEach { code.emit($0) }
    }
    let sites = try kernel.analysis().sites
    #expect(sites.map(\.kind) == [.jit])
    #expect(sites.first?.entryPoint == .bpf)
    #expect(sites.first?.address.value == start + 1)
  }

  @Test("a static call's sites are those of its key")
  func staticCall() throws {
    var kernel = SiteKernel()
    let trampoline = kernel.function("__SCT__vmscape_predictor_flush") { $0.emit(0x90) }
    let caller = kernel.function("exit_to_user") { $0.branch(0xE8, to: trampoline) }
    let table = TinyKernel.base + 0x3000
    let keys = TinyKernel.base + 0x4000
    var entries = Assembly(at: table)
    for (call, key) in [(caller, keys + 2), (caller, keys + 8)] {
      entries.branch(to: call &+ 4)
      entries.branch(to: key &+ 4)
    }
    kernel.tiny.symbol("__SCK__vmscape_predictor_flush", keys)
    kernel.extra = [
      (".static_call_sites", entries.bytes), (".data", [UInt8](repeating: 0, count: 16)),
    ]
    let sites = try kernel.analysis().sites
    #expect(sites.map(\.kind) == [.staticCall])
    #expect(sites.first?.entryPoint == .exitToUser)
    #expect(sites.first?.address.value == caller)
  }

  @Test("an entry point that the kernel has and that has no site is missing")
  func missing() throws {
    var kernel = SiteKernel()
    kernel.site("entry_SYSCALL_64") { $0.branch(0xE8, to: TinyKernel.base) }
    kernel.function("entry_SYSENTER_compat") { $0.emit(0x90) }
    let analysis = try kernel.analysis()
    #expect(analysis.survey.missing == [.sysenterCompat])
    #expect(analysis.survey.unknown == [.vmexit])
    let finding = try #require(analysis.findings.first { $0.id == .missingSite })
    #expect(finding.message.contains("sysenter-compat"))
    #expect(finding.locations.map(\.symbol) == ["entry_SYSENTER_compat"])
  }

  @Test("without a sequence there is one finding, not one for each entry point")
  func absent() throws {
    var tiny = TinyKernel()
    tiny.add(".text", [0xC3], isExecutable: true)
    tiny.symbol("entry_SYSCALL_64", TinyKernel.base)
    let analysis = try StaticAnalysis(try tiny.image())
    #expect(analysis.findings.map(\.id) == [.noSequence])
    #expect(analysis.sequence(variants: []) == .absent)
    #expect(analysis.survey.unknown.isEmpty)
  }
}
