import KernelImage
import Testing

private let base: UInt64 = 0xFFFF_FFFF_8100_0000
private let text = ElfBuilder.Part(
  name: ".text", flags: 6, address: base, bytes: [UInt8](repeating: 0x90, count: 256))

private func table(_ symbols: [ElfBuilder.Symbol]) throws -> SymbolTable {
  try KernelImage.opening(ElfBuilder(parts: [text], symbols: symbols).file).symbols
}

private func local(_ name: String, _ value: UInt64) -> ElfBuilder.Symbol {
  ElfBuilder.Symbol(name: name, value: value, info: 0x02)
}

@Suite("Symbols")
struct SymbolTableTests {
  @Test func `a global symbol comes before local ones of its name`() throws {
    let symbols = try table([
      local("twice", base + 8), local("twice", base + 4), .init(name: "twice", value: base + 16),
      local("once", base),
    ])
    #expect(symbols.source == .symtab)
    #expect(symbols.count == 4)
    #expect(symbols.address(of: "twice") == base + 16)
    #expect(symbols.addresses(of: "twice") == [base + 16, base + 4, base + 8])
    #expect(symbols.address(of: "once") == base)
    #expect(symbols.address(of: "never") == nil)
    #expect(symbols.address(of: "") == nil)
  }

  @Test func `files, sections and undefined symbols do not count`() throws {
    let symbols = try table([
      .init(name: "code.c", value: base, info: 0x04),
      .init(name: "undefined", value: 0, section: 0),
      .init(name: "section", value: base, info: 0x03), .init(name: "real", value: base + 8),
    ])
    #expect(symbols.count == 1)
    #expect(symbols.nearest(to: base + 9)?.name == "real")
    #expect(symbols.nearest(to: base) == nil)
  }

  @Test func `the nearest symbol is the one that people know`() throws {
    let symbols = try table([
      .init(name: "_stext", value: base), local("inner", base), .init(name: "outer", value: base),
      .init(name: "__pfx_next", value: base + 16), .init(name: "__cfi_next", value: base + 20),
      local("$x", base + 24), .init(name: "next", value: base + 32),
      .init(name: "__some_text_end", value: base + 48),
    ])
    #expect(symbols.nearest(to: base + 4)?.name == "outer")
    #expect(symbols.nearest(to: base + 4)?.offset == 4)
    #expect(symbols.nearest(to: base + 25)?.name == "outer")
    #expect(symbols.nearest(to: base + 33)?.name == "next")
    #expect(symbols.nearest(to: base + 49)?.name == "__some_text_end")
    #expect(symbols.nearest(to: base - 1) == nil)
  }

  @Test func `a function ends where its size says, else at the next symbol`() throws {
    let symbols = try table([
      .init(name: "sized", value: base, size: 10), local("label", base + 4),
      .init(name: "unsized", value: base + 32), .init(name: "alias", value: base + 32),
      .init(name: "last", value: base + 64), .init(name: "wraps", value: base + 48, size: .max),
    ])
    #expect(symbols.end(of: base) == base + 10)
    #expect(symbols.end(of: base + 32) == base + 48)
    #expect(symbols.end(of: base + 48) == base + 64)
    #expect(symbols.end(of: base + 64) == nil)
  }

  @Test func `symbols are listed by prefix in the order of their addresses`() throws {
    let symbols = try table([
      .init(name: "cpu_show_b", value: base + 8), .init(name: "cpu_show_a", value: base),
      .init(name: "cpu", value: base), .init(name: "other", value: base),
    ])
    #expect(symbols.names(withPrefix: "cpu_show_").map(\.name) == ["cpu_show_a", "cpu_show_b"])
    #expect(symbols.names(withPrefix: "").count == 4)
    #expect(symbols.names(withPrefix: "cpu_show_a_and_more").isEmpty)
  }

  @Test func `many symbols in disorder are found by name and by address`() throws {
    let count = 3000
    let symbols = try table(
      (0..<count).map { number in
        let place = number * 7919 % count
        return .init(name: "symbol_\(place)", value: base + UInt64(place) * 3)
      })
    for place in stride(from: 0, to: count, by: 37) {
      #expect(symbols.address(of: "symbol_\(place)") == base + UInt64(place) * 3)
      #expect(symbols.nearest(to: base + UInt64(place) * 3 + 2)?.name == "symbol_\(place)")
    }
  }

  @Test func `a name outside the table of names is malformed`() throws {
    var file = ElfBuilder(parts: [text], symbols: [.init(name: "start", value: base)]).file
    let entry = little(UInt32(1)) + [0x12, 0] + little(UInt16(1)) + little(base)
    let place = try #require(file.indices.first { file[$0...].starts(with: entry) })
    file.replaceSubrange(place..<place + 4, with: little(UInt32.max))
    let error = #expect(throws: ImageError.self) { try KernelImage.opening(file) }
    #expect(error?.code == .malformed)
  }
}
