import Foundation
import KernelImage
import Mitigation
import Testing

@testable import Alternatives

/// Writes a relocatable ELF file like kvm-intel: a site in .noinstr.text, its replacement, the
/// table of alternatives (zeros, as before loading), and a direct call in .text.
private struct TinyModule {
  var stride = 14
  var feature: UInt16 = 676
  /// The replacement; its call's displacement stands four bytes in front of the end.
  var replacement: [UInt8] = [0xE8, 0, 0, 0, 0]
  var target = "clear_bhb_loop"
  var tableRelocations = 2

  private struct Part {
    var name: String
    var type: UInt32
    var flags: UInt64
    var bytes: [UInt8]
    var info: UInt32

    init(_ name: String, _ type: UInt32, _ flags: UInt64, _ bytes: [UInt8], _ info: UInt32) {
      self.name = name
      self.type = type
      self.flags = flags
      self.bytes = bytes
      self.info = info
    }
  }

  func module() throws -> KernelModule { try KernelModule(file()) }

  func file() throws -> Artefact.Member {
    var table = [UInt8](repeating: 0, count: 8) + little(feature)
    if stride == 14 { table += little(UInt16(0)) }
    table += [UInt8(max(5, replacement.count)), UInt8(replacement.count)]
    var names: [UInt8] = [0]
    func name(_ text: String) -> UInt32 {
      defer { names += Array(text.utf8) + [0] }
      return UInt32(names.count)
    }
    func symbol(_ text: String, _ info: UInt8, _ section: UInt16, _ value: UInt64) -> [UInt8] {
      little(text.isEmpty ? UInt32(0) : name(text)) + [info, 0] + little(section) + little(value)
        + little(UInt64(0))
    }
    var symbols = [UInt8](repeating: 0, count: 24)
    symbols += symbol("", 3, 1, 0)
    symbols += symbol("", 3, 2, 0)
    symbols += symbol("__vmx_vcpu_run", 0x12, 1, 0x10)
    symbols += symbol(target, 0x10, 0, 0)
    symbols += symbol("other", 0x12, 6, 0)
    func relocation(_ offset: Int, _ type: UInt64, _ symbol: UInt64, _ addend: Int64) -> [UInt8] {
      little(UInt64(offset)) + little(symbol << 32 | type) + little(addend)
    }
    let field = replacement.count - 4
    let places = [relocation(0, 2, 1, 0x40), relocation(4, 2, 2, 8)]
    let code = [UInt8](repeating: 0x90, count: 0x60)
    let sections: [Part] = [
      Part("", 0, 0, [], 0),
      Part(".noinstr.text", 1, 6, code, 0),
      Part(".altinstr_replacement", 1, 6, [UInt8](repeating: 0x90, count: 8) + replacement, 0),
      Part(".rela.altinstr_replacement", 4, 0, relocation(8 + field, 4, 4, -4), 2),
      Part(".altinstructions", 1, 2, table, 0),
      Part(".rela.altinstructions", 4, 0, Array(places.prefix(tableRelocations).joined()), 4),
      Part(".text", 1, 6, [0x90, 0xE8, 0, 0, 0, 0, 0x0F, 0xAE, 0xE8, 0xC3], 0),
      Part(".rela.text", 4, 0, relocation(2, 4, 4, -4), 6),
      Part(".symtab", 2, 0, symbols, 3),
      Part(".strtab", 3, 0, names, 0),
    ]
    return try member(sections)
  }

  private func member(
    _ sections: [Part]
  ) throws -> Artefact.Member {
    var file = [UInt8](repeating: 0, count: 64)
    var headers: [UInt8] = []
    var sectionNames: [UInt8] = []
    let all = sections + [Part(".shstrtab", 3, 0, [], 0)]
    var nameTable: [UInt8] = []
    for section in all { nameTable += Array(section.name.utf8) + [0] }
    for section in all {
      let bytes = section.name == ".shstrtab" ? nameTable : section.bytes
      headers += little(UInt32(sectionNames.count)) + little(section.type) + little(section.flags)
      headers += little(UInt64(0)) + little(UInt64(section.type == 0 ? 0 : file.count))
      headers += little(UInt64(bytes.count))
      // Relocations belong to the symbols of section 8, those to the names of section 9.
      headers += little(UInt32(section.type == 4 ? 8 : section.type == 2 ? 9 : 0))
      headers +=
        little(section.info) + little(UInt64(1)) + little(UInt64(section.type == 0 ? 0 : 24))
      file += bytes
      sectionNames += Array(section.name.utf8) + [0]
    }
    while !file.count.isMultiple(of: 8) { file.append(0) }
    var elf: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
    elf += little(UInt16(1)) + little(UInt16(62)) + little(UInt32(1)) + little(UInt64(0))
    elf += little(UInt64(0)) + little(UInt64(file.count)) + little(UInt32(0))
    elf += little(UInt16(64)) + little(UInt16(0)) + little(UInt16(0)) + little(UInt16(64))
    elf += little(UInt16(all.count)) + little(UInt16(all.count - 1))
    file.replaceSubrange(0..<64, with: elf)
    file += headers
    let contents = try file.withUnsafeBytes { bytes in
      Artefact.Contents(try ImageBytes.copying(bytes))
    }
    return Artefact.Member(name: "kernel/kvm/kvm-intel.ko.xz", contents: contents, layers: [])
  }

  private func little(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}

@Suite("Sites of modules")
struct ModuleSitesTests {
  private func survey(_ module: TinyModule) throws -> SiteSurvey {
    var tiny = TinyKernel()
    tiny.add(".text", SequenceCode().bytes(at: TinyKernel.base), isExecutable: true)
    tiny.symbol("clear_bhb_loop", TinyKernel.base)
    return try StaticAnalysis(try tiny.image(), modules: [try module.module()]).survey
  }

  private static let seeds = ProcessInfo.processInfo.environment["BHBCHECK_SEEDS"]

  @Test(
    "the modules that fuzzing starts from", .enabled(if: seeds != nil, "see SeedTests"),
    arguments: [12, 14])
  func seed(_ stride: Int) throws {
    let folder = URL(filePath: try #require(Self.seeds)).appending(component: "module")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let module = try TinyModule(stride: stride).file()
    try Data(module.contents.bytes.raw).write(to: folder.appending(component: "stride-\(stride)"))
  }

  @Test("entries are read through their relocations, in each layout", arguments: [12, 14])
  func alternative(_ stride: Int) throws {
    let survey = try survey(TinyModule(stride: stride))
    let found = try #require(survey.sites.first { $0.site.kind == .alternative })
    #expect(found.site.image == "kvm-intel")
    #expect(found.site.entryPoint == .vmexit)
    #expect(found.site.address.value == 0x40)
    #expect(found.site.section == ".noinstr.text")
    #expect(found.site.symbol == "__vmx_vcpu_run+0x30")
    #expect(found.site.feature == FeatureReference(number: 676, name: "CLEAR_BHB_VMEXIT"))
    #expect(found.site.original == HexBytes([0x90, 0x90, 0x90, 0x90, 0x90]))
    #expect(found.site.replacementText == "callq clear_bhb_loop")
    #expect(found.replacement?.target == TinyKernel.base)
    #expect(survey.missing.isEmpty && survey.unknown.isEmpty && survey.notes.isEmpty)
  }

  @Test("counts that a module's replacement loads")
  func loads() throws {
    let load: [UInt8] = [0xB9, 12, 0, 0, 0, 0xBA, 7, 0, 0, 0]
    let survey = try survey(TinyModule(replacement: load + [0xE8, 0, 0, 0, 0]))
    let found = try #require(survey.sites.first { $0.site.kind == .alternative })
    #expect(found.replacement?.loads.map(\.value) == [12, 7])
    #expect(found.site.barrier == false)
  }

  @Test("a direct call in a module, with the fence behind it")
  func directCall() throws {
    let survey = try survey(TinyModule())
    let found = try #require(survey.sites.first { $0.site.kind == .direct })
    #expect(found.site.symbol == "other+0x1")
    #expect(found.site.entryPoint == nil)
    #expect(found.barrierFollows == true)
  }

  @Test("a module that does not use the sequence leaves its VM exit without a site")
  func missing() throws {
    let survey = try survey(TinyModule(target: "something_else"))
    #expect(survey.sites.isEmpty)
    #expect(survey.missing == [.vmexit])
  }

  @Test("a table whose relocations fit no layout is told")
  func malformed() throws {
    let survey = try survey(TinyModule(tableRelocations: 1))
    #expect(!survey.sites.contains { $0.site.kind == .alternative })
    #expect(survey.notes.count == 1)
  }
}
