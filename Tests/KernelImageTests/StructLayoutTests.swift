import KernelImage
import Testing

private let codeAddress: UInt64 = 0xFFFF_FFFF_8100_0000
private let tableAddress: UInt64 = 0xFFFF_FFFF_8200_0000

/// Writes BTF (include/uapi/linux/btf.h): `struct cpu { int family; union { int caps[24]; long align; };
/// int flag : 3; int next : 5; }` and `enum mode { OFF = -1, ON = 2 }`.
func sampleBTF() -> [UInt8] {
  var strings: [UInt8] = [0]
  func text(_ name: String) -> UInt32 {
    let offset = UInt32(strings.count)
    strings += Array(name.utf8) + [0]
    return offset
  }
  func info(_ kind: UInt32, _ count: UInt32, flag: Bool = false) -> UInt32 {
    kind << 24 | count | (flag ? 1 << 31 : 0)
  }
  var words: [UInt32] = []
  words += [text("int"), info(1, 0), 4, 32]  // 1
  words += [0, info(3, 0), 0, 1, 1, 24]  // 2: int[24]
  words += [text("caps_t"), info(8, 0), 2]  // 3: a typedef of it
  words += [0, info(5, 2), 96, text("caps"), 3, 0, text("align"), 1, 0]  // 4
  words += [text("cpu"), info(4, 4, flag: true), 104]  // 5
  words += [text("family"), 1, 0, 0, 4, 32]
  words += [text("flag"), 1, 3 << 24 | 800, text("next"), 1, 5 << 24 | 803]
  words += [text("mode"), info(6, 2, flag: true), 4]  // 6
  words += [text("OFF"), UInt32(bitPattern: -1), text("ON"), 2]
  let types = words.flatMap { little($0) }
  return little(UInt16(0xEB9F)) + [1, 0] + little(UInt32(24)) + little(UInt32(0))
    + little(UInt32(types.count)) + little(UInt32(types.count)) + little(UInt32(strings.count))
    + types + strings
}

@Suite("Structure layouts")
struct StructLayoutTests {
  private static let code = ElfBuilder.Part(
    name: ".text", flags: 6, address: codeAddress, bytes: [UInt8](repeating: 0x90, count: 4096))

  private func image(_ name: String, _ bytes: [UInt8]) throws -> KernelImage {
    try KernelImage.opening(
      ElfBuilder(parts: [
        Self.code, .init(name: name, address: tableAddress, bytes: bytes),
      ]).file)
  }

  @Test func `members, arrays and enumerators are read from BTF`() throws {
    let layouts = try image(".BTF", sampleBTF()).layouts
    let layout = try #require(layouts.layout(of: "cpu"))
    #expect(layout.size == 104)
    #expect(
      layout.fields == ["family": 0, "caps": 4, "align": 4, "flag": 100, "next": 100])
    #expect(layout.source == .btf)
    #expect(layouts.arrayCount(of: "cpu", field: "caps") == 24)
    #expect(layouts.arrayCount(of: "cpu", field: "family") == nil)
    #expect(layouts.arrayCount(of: "cpu", field: "none") == nil)
    #expect(layouts.enumerators(of: "mode") == ["OFF": -1, "ON": 2])
    #expect(layouts.layout(of: "none") == nil)
    #expect(layouts.enumerators(of: "cpu") == nil)
  }

  @Test func `damaged BTF is no error and no answer`() throws {
    let whole = sampleBTF()
    for count in 1..<whole.count {
      #expect(try image(".BTF", Array(whole[..<count])).layouts.layout(of: "cpu") == nil)
    }
    for position in whole.indices {
      for value in [0, 0x7F, 0xFF] as [UInt8] {
        var changed = whole
        changed[position] = value
        let layouts = try image(".BTF", changed).layouts
        _ = layouts.layout(of: "cpu")
        _ = layouts.arrayCount(of: "cpu", field: "caps")
        _ = layouts.enumerators(of: "mode")
      }
    }
  }

  /// A table of entries, each of words relative to their places and of further bytes.
  private func entries(_ count: Int, targets: [UInt64], rest: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    for _ in 0..<count {
      for target in targets {
        bytes += little(
          UInt32(truncatingIfNeeded: target &- tableAddress &- UInt64(bytes.count)))
      }
      bytes += rest
    }
    return bytes
  }

  @Test(arguments: [
    (12, [33, 1, 5, 5]), (13, [33, 1, 5, 5, 0]), (14, [33, 1, 0, 0, 5, 5]),
  ])
  func `alt_instr is recognised by its entries`(size: Int, rest: [UInt8]) throws {
    var table = entries(9, targets: [codeAddress + 64, codeAddress + 512], rest: rest)
    let image = try image(".altinstructions", table)
    let layout = try #require(image.layouts.layout(of: "alt_instr"))
    #expect(layout.size == size)
    #expect(layout.source == .recovered)
    #expect(layout.fields["instrlen"] == size - (size == 13 ? 3 : 2))
    #expect(layout.basis == "9 of 9 entries make sense")
    // One damaged entry is a finding of others, no reason to know nothing.
    table[size + 3] = 0x12
    let damaged = try self.image(".altinstructions", table)
    #expect(damaged.layouts.layout(of: "alt_instr")?.size == size)
    #expect(damaged.layouts.layout(of: "alt_instr")?.basis == "8 of 9 entries make sense")
  }

  @Test func `a table that makes no sense has no layout`() throws {
    let table = (0..<12 * 14).map { UInt8(truncatingIfNeeded: $0 * 37) }
    for name in [".altinstructions", "__bug_table", "__ex_table"] {
      let image = try image(name, table)
      for structure in ["alt_instr", "bug_entry", "exception_table_entry", "obs_kernel_param"] {
        #expect(image.layouts.layout(of: structure) == nil)
      }
    }
  }

  @Test(arguments: [(8, 1), (12, 2), (16, 3)])
  func `bug_entry is recognised by where it leads`(size: Int, words: Int) throws {
    var code = Self.code
    code.bytes.replaceSubrange(16..<18, with: [0x0F, 0x0B])
    let texts = [UInt64](repeating: tableAddress, count: words - 1)
    let table = entries(
      7, targets: [codeAddress + 16] + texts, rest: size == 8 ? [1, 0, 0, 0] : [1, 0, 2, 0])
    let image = try KernelImage.opening(
      ElfBuilder(parts: [
        code, .init(name: "__bug_table", address: tableAddress, bytes: table),
      ]).file)
    #expect(image.layouts.layout(of: "bug_entry")?.size == size)
  }

  @Test func `the exception table's third word is a type or a handler`() throws {
    let types = entries(5, targets: [codeAddress, codeAddress + 4], rest: [3, 0, 0, 0])
    let byType = try image("__ex_table", types).layouts.layout(of: "exception_table_entry")
    #expect(byType?.fields == ["insn": 0, "fixup": 4, "data": 8])
    let handlers = entries(5, targets: [codeAddress, codeAddress + 4, codeAddress + 8], rest: [])
    let byHandler = try image("__ex_table", handlers).layouts.layout(of: "exception_table_entry")
    #expect(byHandler?.fields == ["insn": 0, "fixup": 4, "handler": 8])
  }
}
