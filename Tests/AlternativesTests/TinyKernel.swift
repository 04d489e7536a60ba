import KernelImage

/// Writes a vmlinux of a few hundred bytes: sections that are loaded one behind the other, and
/// symbols.
struct TinyKernel {
  struct Part {
    var name: String
    var address: UInt64
    var bytes: [UInt8]
    var isExecutable = false
  }

  static let base: UInt64 = 0xFFFF_FFFF_8100_0000

  var parts: [Part] = []
  var symbols: [(name: String, address: UInt64, size: UInt64)] = []

  /// Adds a section on a page of its own.
  mutating func add(_ name: String, _ bytes: [UInt8], isExecutable: Bool = false) {
    parts.append(
      Part(
        name: name, address: Self.base + 0x1000 * UInt64(parts.count), bytes: bytes,
        isExecutable: isExecutable))
  }

  func address(of name: String) -> UInt64 { parts.first { $0.name == name }?.address ?? 0 }

  mutating func symbol(_ name: String, _ address: UInt64, size: UInt64 = 0) {
    symbols.append((name, address, size))
  }

  func image() throws -> KernelImage {
    var file = Writer(capacity: 0x1000 * (parts.count + 2))
    let loaded = 0x1000
    for (index, part) in parts.enumerated() {
      file.put(part.bytes, at: loaded + 0x1000 * index)
    }
    var names: [UInt8] = [0]
    var table = [UInt8](repeating: 0, count: 24)
    for symbol in symbols {
      table += little(UInt32(names.count)) + [0x12, 0]
      table += little(UInt16(1)) + little(symbol.address) + little(symbol.size)
      names += Array(symbol.name.utf8) + [0]
    }
    let symtab = file.append(table)
    let strtab = file.append(names)
    var sectionNames: [UInt8] = [0]
    var headers = [UInt8](repeating: 0, count: 64)
    func header(
      _ name: String, type: UInt32, flags: UInt64, address: UInt64, offset: Int, size: Int,
      link: UInt32 = 0, entry: UInt64 = 0
    ) {
      headers += little(UInt32(sectionNames.count)) + little(type) + little(flags)
      headers += little(address) + little(UInt64(offset)) + little(UInt64(size))
      headers += little(link) + little(UInt32(0)) + little(UInt64(1)) + little(entry)
      sectionNames += Array(name.utf8) + [0]
    }
    for (index, part) in parts.enumerated() {
      header(
        part.name, type: 1, flags: part.isExecutable ? 6 : 2, address: part.address,
        offset: loaded + 0x1000 * index, size: part.bytes.count)
    }
    let count = parts.count
    header(
      ".symtab", type: 2, flags: 0, address: 0, offset: symtab, size: table.count,
      link: UInt32(count + 2), entry: 24)
    header(".strtab", type: 3, flags: 0, address: 0, offset: strtab, size: names.count)
    let nameSize = sectionNames.count + ".shstrtab".utf8.count + 1
    let shstrtab = file.bytes.count
    header(".shstrtab", type: 3, flags: 0, address: 0, offset: shstrtab, size: nameSize)
    file.append(sectionNames)
    let sections = file.append(headers)
    var elf: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9)
    elf += little(UInt16(2)) + little(UInt16(62)) + little(UInt32(1)) + little(Self.base)
    elf += little(UInt64(64)) + little(UInt64(sections)) + little(UInt32(0))
    elf += little(UInt16(64)) + little(UInt16(56)) + little(UInt16(1)) + little(UInt16(64))
    elf += little(UInt16(count + 4)) + little(UInt16(count + 3))
    let size = UInt64(0x1000 * count)
    elf += little(UInt32(1)) + little(UInt32(7)) + little(UInt64(loaded)) + little(Self.base)
    elf += little(UInt64(0)) + little(size) + little(size) + little(UInt64(0x1000))
    file.put(elf, at: 0)
    let contents = try file.bytes.withUnsafeBytes { bytes in
      Artefact.Contents(try ImageBytes.copying(bytes))
    }
    let member = Artefact.Member(name: "vmlinux", contents: contents, layers: [])
    return try KernelImage(Artefact(path: "tiny", kernel: member))
  }

  private func little(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  private struct Writer {
    var bytes: [UInt8]

    init(capacity: Int) { bytes = [UInt8](repeating: 0, count: capacity) }

    mutating func put(_ new: [UInt8], at offset: Int) {
      bytes.replaceSubrange(offset..<(offset + new.count), with: new)
    }

    @discardableResult mutating func append(_ new: [UInt8]) -> Int {
      let offset = bytes.count
      bytes += new
      return offset
    }
  }
}

/// Machine code with labels, enough for branches with 32-bit displacements.
struct Assembly {
  private(set) var bytes: [UInt8] = []
  let address: UInt64

  init(at address: UInt64) { self.address = address }

  var here: UInt64 { address + UInt64(bytes.count) }

  mutating func emit(_ new: UInt8...) { bytes += new }

  /// An opcode with the displacement to `target` behind it.
  mutating func branch(_ opcode: UInt8..., to target: UInt64) {
    bytes += opcode
    let displacement = UInt32(truncatingIfNeeded: target &- (here + 4))
    withUnsafeBytes(of: displacement.littleEndian) { bytes += Array($0) }
  }

  /// Fills up with INT3 until `offset` bytes lie behind the start.
  mutating func pad(to offset: Int) {
    while bytes.count < offset { bytes.append(0xCC) }
  }
}
