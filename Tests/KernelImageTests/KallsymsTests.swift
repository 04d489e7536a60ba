import KernelImage
import Testing

private let codeAddress: UInt64 = 0xFFFF_FFFF_8100_0000
private let dataAddress: UInt64 = 0xFFFF_FFFF_8200_0000
private let exportAddress: UInt64 = 0xFFFF_FFFF_8210_0000
private let stringAddress: UInt64 = 0xFFFF_FFFF_8210_1000

private func symbols(
  _ count: Int = 700, perCPU: Int = 0
) -> [(letter: Character, name: String, address: UInt64)] {
  (0..<count).map { number in
    number < perCPU
      ? ("A", "cpu_area\(number)", UInt64(number) * 8)
      : (
        number % 3 == 0 ? "T" : "t", number % 7 == 0 ? "cpu_show\(number)" : "sym_\(number).part.0",
        codeAddress + UInt64(number - perCPU) * 16
      )
  }
}

/// An image with kallsyms and exports, stripped of everything else.
private func image(
  _ builder: KallsymsBuilder, exports: [(name: String, address: UInt64)] = [], headers: Bool = true,
  changedTables: [UInt8]? = nil
) throws -> KernelImage {
  let tables = changedTables ?? builder.bytes()
  // The linker merges names: one may be the tail of another.
  var strings: [UInt8] = Array("xyz\0".utf8)
  var table: [UInt8] = []
  for export in exports {
    let place = exportAddress + UInt64(table.count)
    table += little(UInt32(truncatingIfNeeded: export.address &- place))
    table += little(
      UInt32(truncatingIfNeeded: stringAddress + UInt64(strings.count) &- place &- 4))
    table += little(UInt32(0))
    strings += Array(export.name.utf8) + [0]
  }
  var elf = ElfBuilder(parts: [
    .init(
      name: ".text", flags: 6, address: codeAddress, bytes: [UInt8](repeating: 0x90, count: 16000)),
    .init(name: ".rodata", address: dataAddress, bytes: tables),
    .init(name: "__ksymtab", address: exportAddress, bytes: table),
    .init(name: "__ksymtab_strings", address: stringAddress, bytes: strings),
  ])
  elf.hasSectionHeaders = headers
  return try KernelImage.opening(elf.file)
}

@Suite("kallsyms")
struct KallsymsTests {
  @Test(arguments: KallsymsBuilder.Form.allCases, [true, false])
  func `every form is recognised by its content`(
    form: KallsymsBuilder.Form, hasSequenceNumbers: Bool
  ) throws {
    let hasPerCPU = form == .perCPUBeforeNames || form == .perCPUBehindTokens
    let symbols = symbols(perCPU: hasPerCPU ? 20 : 0)
    let builder = KallsymsBuilder(
      symbols: symbols, form: form, address: dataAddress, hasSequenceNumbers: hasSequenceNumbers)
    let exports = symbols.filter { $0.letter == "T" }.map { ($0.name, $0.address) }
    let image = try image(builder, exports: exports)
    try #require(image.symbols.source == .kallsyms, "\(image.notes)")
    #expect(image.notes == image.notes.filter { $0.contains("exported addresses agree") })
    #expect(image.symbols.count == symbols.count)
    for symbol in symbols {
      #expect(image.symbols.address(of: symbol.name) == symbol.address)
      #expect(image.symbols.nearest(to: symbol.address + 7)?.name == symbol.name)
    }
    #expect(image.symbols.address(of: "sym_") == nil)
    #expect(image.symbols.end(of: codeAddress) == codeAddress + 16)
    #expect(
      image.symbols.names(withPrefix: "cpu_show").map(\.name)
        == symbols.map(\.name).filter { $0.hasPrefix("cpu_show") })
  }

  @Test func `the segments are searched where there are no section headers`() throws {
    let builder = KallsymsBuilder(symbols: symbols(), form: .ownPlace, address: dataAddress)
    let image = try image(builder, headers: false)
    #expect(image.symbols.source == .kallsyms)
    #expect(image.symbols.address(of: "cpu_show7") == codeAddress + 7 * 16)
  }

  @Test func `a name of more than 127 tokens has a length of two bytes`() throws {
    var symbols = symbols()
    let long = String(repeating: "qz", count: 200)
    symbols[300].name = long
    let builder = KallsymsBuilder(symbols: symbols, form: .baseBehindTokens, address: dataAddress)
    #expect(try image(builder).symbols.address(of: long) == symbols[300].address)
  }

  @Test(arguments: KallsymsBuilder.Form.allCases)
  func `addresses that the exports contradict are not believed`(
    form: KallsymsBuilder.Form
  ) throws {
    let builder = KallsymsBuilder(symbols: symbols(), form: form, address: dataAddress)
    let image = try image(builder, exports: [("cpu_show7", codeAddress + 0x20)])
    #expect(image.symbols.source == .ksymtab)
    #expect(image.notes.contains { $0.contains("cpu_show7 is elsewhere in __ksymtab") })
    #expect(image.symbols.address(of: "cpu_show7") == codeAddress + 0x20)
    #expect(image.symbols.count == 1)
  }

  @Test func `damaged tables are passed over, never misread`() throws {
    let symbols = symbols(600)
    let builder = KallsymsBuilder(symbols: symbols, form: .baseBehindTokens, address: dataAddress)
    let exports = symbols.filter { $0.letter == "T" }.map { ($0.name, $0.address) }
    let tables = builder.bytes()
    for position in stride(from: 0, to: tables.count, by: 101) {
      var changed = tables
      changed[position] ^= 0xFF
      let image = try image(builder, exports: exports, changedTables: changed)
      for export in exports {
        let address = image.symbols.address(of: export.0)
        #expect(address == nil || address == export.1, "changed at \(position)")
      }
    }
    for count in stride(from: 1, to: tables.count, by: 211) {
      let image = try image(builder, exports: exports, changedTables: Array(tables[..<count]))
      #expect(image.symbols.address(of: "cpu_show0") == codeAddress, "cut at \(count)")
    }
  }

  @Test func `exports alone are a source, the last`() throws {
    let builder = KallsymsBuilder(symbols: symbols(), form: .ownPlace, address: dataAddress)
    let image = try image(
      builder, exports: [("one", 1), ("two", codeAddress), ("ne", 4)],
      changedTables: Array("nothing here".utf8))
    #expect(image.symbols.source == .ksymtab)
    #expect(image.symbols.address(of: "two") == codeAddress)
    #expect(image.symbols.address(of: "ne") == 4)
    #expect(image.notes.contains { $0.contains("only exported ones") })
  }

  @Test func `without any source there are no symbols, and no error`() throws {
    let text = ElfBuilder.Part(name: ".text", flags: 6, address: codeAddress, bytes: [0xC3])
    let image = try KernelImage.opening(ElfBuilder(parts: [text]).file)
    #expect(image.symbols.source == .none)
    #expect(image.symbols.count == 0)
    #expect(image.symbols.address(of: "x") == nil)
    #expect(image.symbols.nearest(to: 1) == nil)
    #expect(image.symbols.end(of: 1) == nil)
    #expect(image.symbols.names(withPrefix: "").isEmpty)
  }
}

@Suite("System.map")
struct SystemMapTests {
  private let text = ElfBuilder.Part(name: ".text", flags: 6, address: codeAddress, bytes: [0xC3])
  private let map = "ffffffff81000000 T start\nffffffff81000010 t inner\n0000000000001000 A cpu\n"

  @Test func `a map that came with the kernel is used where nothing better is`() throws {
    let image = try KernelImage.opening(ElfBuilder(parts: [text]).file, systemMap: map)
    #expect(image.symbols.source == .systemMap)
    #expect(image.symbols.address(of: "inner") == codeAddress + 16)
    #expect(image.symbols.nearest(to: codeAddress + 1)?.name == "start")
    #expect(image.symbols.address(of: "cpu") == 0x1000)
  }

  @Test func `the image's own symbols come before any map`() throws {
    let file = ElfBuilder(parts: [text], symbols: [.init(name: "own", value: codeAddress)]).file
    let image = try KernelImage.opening(file, given: map)
    #expect(image.symbols.source == .symtab)
    #expect(image.notes == ["System.map not used: the image has a .symtab"])
  }

  @Test func `a map of another build is refused`() throws {
    let builder = KallsymsBuilder(symbols: symbols(), form: .ownPlace, address: dataAddress)
    let own = try image(builder, exports: [("cpu_show7", codeAddress + 7 * 16)])
    var file: [UInt8] = []
    file += own.artefact.kernel?.contents.bytes.raw.map { $0 } ?? []
    let other = try KernelImage.opening(file, given: "ffffffff81000000 T cpu_show7\n")
    #expect(other.symbols.source == .kallsyms)
    #expect(other.notes.contains { $0.hasPrefix("given.map not used: cpu_show7") })
    let right = try KernelImage.opening(file, given: "ffffffff81000070 T cpu_show7\n")
    #expect(right.symbols.source == .systemMap)
  }

  @Test(arguments: [
    "", "\n", "ffffffff81000000 T start", "the real System.map is in the -dbg package\n",
    "ffffffff81000000 T\n", "ffffffff81000000  start\n", "fffffffff81000000 T start\n",
    "ffffffff81000000 T start\nand so on\n", " T start\n",
  ])
  func `what is no map is refused`(text map: String) throws {
    if map.isEmpty { return }
    let image = try KernelImage.opening(ElfBuilder(parts: [text]).file, systemMap: map)
    #expect(image.symbols.source == .none)
    #expect(image.notes.first == "System.map not used: it is not a System.map")
  }
}
