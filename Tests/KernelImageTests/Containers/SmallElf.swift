/// Writes a small ELF file: one loaded segment, a section of code, the names of the sections.
///
/// Source of the layouts: System V gABI, "ELF Header", "Program Header", "Sections".
struct SmallElf {
  enum Kind: UInt16 {
    case object = 1
    case executable = 2
    case core = 4
  }

  var kind: Kind = .executable
  var machine: UInt16 = 62
  var is64Bit = true
  var isBigEndian = false
  /// False writes the section of code without its contents (SHT_NOBITS), as debug files have it.
  var hasCode = true
  /// Another segment's type: PT_INTERP (3) makes a program, PT_DYNAMIC (2) a library.
  var secondSegment: UInt32?
  /// Claims this many bytes more for the section of code than there are.
  var excess = 0
  var code: [UInt8] = Array(repeating: 0x90, count: 300)

  static var module: SmallElf { SmallElf(kind: .object) }

  var bytes: [UInt8] {
    let header = is64Bit ? 64 : 52
    let segment = is64Bit ? 56 : 32
    let section = is64Bit ? 64 : 40
    let segments = kind == .executable ? (secondSegment == nil ? 1 : 2) : 0
    let names = Array("\0.text\0.shstrtab\0".utf8)
    let codeAt = header + segments * segment
    let namesAt = codeAt + code.count
    let sectionsAt = namesAt + names.count

    var out = Writer(isBigEndian: isBigEndian, wide: is64Bit)
    out.bytes =
      [0x7F, 0x45, 0x4C, 0x46, is64Bit ? 2 : 1, isBigEndian ? 2 : 1, 1]
      + [UInt8](repeating: 0, count: 9)
    out.half(kind.rawValue)
    out.half(machine)
    out.word(1)
    out.address(0)
    out.address(segments > 0 ? header : 0)
    out.address(sectionsAt)
    out.word(0)
    for value in [header, segment, segments, section, 3, 2] { out.half(UInt16(value)) }
    for index in 0..<segments {
      let type = index == 0 ? 1 : secondSegment ?? 0
      out.word(type)
      if is64Bit { out.word(5) }
      for value in [codeAt, 0x100_0000, 0x100_0000, code.count, code.count] { out.address(value) }
      if !is64Bit { out.word(5) }
      out.address(1)
    }
    out.bytes += code + names
    out.section(name: 0, type: 0, flags: 0, at: 0, size: 0)
    out.section(
      name: 1, type: hasCode ? 1 : 8, flags: 6, at: codeAt, size: code.count + excess)
    out.section(name: 7, type: 3, flags: 0, at: namesAt, size: names.count)
    return out.bytes
  }

  private struct Writer {
    var bytes: [UInt8] = []
    var isBigEndian: Bool
    var wide: Bool

    mutating func number<Number: FixedWidthInteger>(_ value: Number) {
      withUnsafeBytes(of: isBigEndian ? value.bigEndian : value.littleEndian) { bytes += $0 }
    }
    mutating func half(_ value: UInt16) { number(value) }
    mutating func word(_ value: UInt32) { number(value) }
    mutating func address(_ value: Int) {
      if wide { number(UInt64(value)) } else { number(UInt32(value)) }
    }
    mutating func section(name: UInt32, type: UInt32, flags: Int, at offset: Int, size: Int) {
      word(name)
      word(type)
      address(flags)
      address(0)
      address(offset)
      address(size)
      word(0)
      word(0)
      address(1)
      address(0)
    }
  }
}

extension [UInt8] {
  /// Overwrites the bytes from `offset` on with a little-endian number.
  mutating func set<Number: FixedWidthInteger>(_ value: Number, at offset: Int) {
    Swift.withUnsafeBytes(of: value.littleEndian) { source in
      replaceSubrange(offset..<offset + source.count, with: source)
    }
  }
}

/// `size` little-endian bytes of `value`, big-endian if asked.
func encoded<Number: FixedWidthInteger>(_ value: Number, bigEndian: Bool = false) -> [UInt8] {
  withUnsafeBytes(of: bigEndian ? value.bigEndian : value.littleEndian) { Array($0) }
}
