import KernelImage
import Testing

/// Writes small ELF files: what a test puts in is all that is in them.
struct ElfBuilder {
  struct Part {
    var name: String
    var type: UInt32 = 1
    var flags: UInt64 = 2
    var address: UInt64 = 0
    var bytes: [UInt8] = []
    /// The size in the header, if another than that of the bytes.
    var size: Int?
    var link: UInt32 = 0
    var info: UInt32 = 0
    var entrySize: UInt64 = 0
  }

  struct Symbol {
    var name: String
    var value: UInt64
    var size: UInt64 = 0
    /// STB_* << 4 | STT_*.
    var info: UInt8 = 0x12
    var section: UInt16 = 1
  }

  var type: UInt16 = 2
  var machine: UInt16 = 62
  var elfClass: UInt8 = 2
  var byteOrder: UInt8 = 1
  /// Each becomes a section and, if it has an address, a segment.
  var parts: [Part] = []
  var symbols: [Symbol] = []
  var hasSectionHeaders = true
  var segmentFlags: UInt32 = 5
  /// A size in memory that all segments state, if another than that in the file.
  var memorySize: UInt64?

  /// The file.
  var file: [UInt8] {
    var parts = parts
    if !symbols.isEmpty { addSymbols(to: &parts) }
    var names: [UInt8] = [0]
    var nameOffsets: [UInt32] = []
    for part in parts + [Part(name: ".shstrtab")] {
      nameOffsets.append(UInt32(names.count))
      names += Array(part.name.utf8) + [0]
    }
    parts.append(Part(name: ".shstrtab", type: 3, flags: 0, bytes: names))
    let loaded = parts.filter { $0.address != 0 && $0.flags & 2 != 0 }
    var body: [UInt8] = []
    var offsets: [Int] = []
    let bodyStart = 64 + 56 * loaded.count
    for part in parts {
      while (bodyStart + body.count) % 16 != 0 { body.append(0) }
      offsets.append(bodyStart + body.count)
      body += part.bytes
    }
    while (bodyStart + body.count) % 16 != 0 { body.append(0) }

    var file: [UInt8] =
      [0x7F, 0x45, 0x4C, 0x46, elfClass, byteOrder, 1] + [UInt8](repeating: 0, count: 9)
    file += little(type) + little(machine) + little(UInt32(1)) + little(UInt64(0))
    file += little(UInt64(64))
    file += little(UInt64(hasSectionHeaders ? bodyStart + body.count : 0)) + little(UInt32(0))
    file += little(UInt16(64)) + little(UInt16(56)) + little(UInt16(loaded.count))
    file += little(UInt16(64)) + little(UInt16(hasSectionHeaders ? parts.count + 1 : 0))
    file += little(UInt16(hasSectionHeaders ? parts.count : 0))
    for (part, offset) in zip(parts, offsets) where part.address != 0 && part.flags & 2 != 0 {
      file += little(UInt32(1)) + little(segmentFlags) + little(UInt64(offset))
      file += little(part.address) + little(part.address) + little(UInt64(part.bytes.count))
      file += little(memorySize ?? UInt64(part.bytes.count)) + little(UInt64(16))
    }
    file += body
    guard hasSectionHeaders else { return file }
    file += [UInt8](repeating: 0, count: 64)
    for (index, part) in parts.enumerated() {
      file += little(nameOffsets[index]) + little(part.type) + little(part.flags)
      file += little(part.address) + little(UInt64(offsets[index]))
      file += little(UInt64(part.size ?? part.bytes.count)) + little(part.link) + little(part.info)
      file += little(UInt64(8)) + little(part.entrySize)
    }
    return file
  }

  private func addSymbols(to parts: inout [Part]) {
    var names: [UInt8] = [0]
    var table = [UInt8](repeating: 0, count: 24)
    for symbol in symbols {
      table += little(UInt32(names.count)) + [symbol.info, 0] + little(symbol.section)
      table += little(symbol.value) + little(symbol.size)
      names += Array(symbol.name.utf8) + [0]
    }
    parts.append(
      Part(
        name: ".symtab", type: 2, flags: 0, bytes: table, link: UInt32(parts.count + 2),
        entrySize: 24))
    parts.append(Part(name: ".strtab", type: 3, flags: 0, bytes: names))
  }
}

/// The bytes of an integer in the order of x86.
func little<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

extension Artefact.Member {
  /// A member that holds these bytes.
  static func holding(_ bytes: [UInt8], name: String = "vmlinux") throws -> Artefact.Member {
    let contents = try bytes.withUnsafeBytes { raw throws(ImageError) in
      Artefact.Contents(try ImageBytes.copying(raw))
    }
    return Artefact.Member(name: name, contents: contents, layers: [])
  }
}

extension KernelImage {
  /// Opens a file that a test wrote.
  static func opening(
    _ file: [UInt8], systemMap: String? = nil, given: String? = nil, configuration: String? = nil
  ) throws -> KernelImage {
    func member(_ text: String?, _ name: String) throws -> Artefact.Member? {
      try text.map { try .holding(Array($0.utf8), name: name) }
    }
    return try KernelImage(
      Artefact(
        path: "vmlinux", kernel: .holding(file), configuration: member(configuration, "config"),
        systemMap: member(systemMap, "System.map")),
      systemMap: member(given, "given.map"))
  }
}
