import CElf
import Glibc

/// A part of the file that is loaded into memory (PT_LOAD), its bounds verified.
public struct Segment: Sendable, Hashable {
  /// Where it is loaded, p_vaddr.
  public let address: UInt64
  /// Where its bytes lie in the file, in bytes.
  public let fileOffset: Int
  /// How many bytes the file holds of it; at most `memorySize`.
  public let fileSize: Int
  /// How many bytes it has in memory; what the file does not hold is zero.
  public let memorySize: Int
  /// PF_X (1), PF_W (2), PF_R (4).
  public let flags: UInt32

  /// The addresses whose bytes the file holds.
  public var backed: Range<UInt64> { address..<address + UInt64(fileSize) }
  /// All addresses of the segment.
  public var addresses: Range<UInt64> { address..<address + UInt64(memorySize) }
  public var isExecutable: Bool { flags & 1 != 0 }
}

/// A section of an ELF file, its bounds verified.
public struct Section: Sendable, Hashable {
  public let index: Int
  public let name: String
  /// SHT_*.
  public let type: UInt32
  /// SHF_*.
  public let flags: UInt64
  /// Where it is loaded; 0 in modules and for sections that are not loaded.
  public let address: UInt64
  public let fileOffset: Int
  /// Size in bytes, in memory for SHT_NOBITS (which has no bytes in the file).
  public let size: Int
  public let link: Int
  public let info: Int
  public let entrySize: Int

  /// Whether it takes up memory when the image runs (SHF_ALLOC).
  public var isLoaded: Bool { flags & UInt64(SHF_ALLOC) != 0 }
  public var isExecutable: Bool { flags & UInt64(SHF_EXECINSTR) != 0 }
  /// Whether the file holds its bytes.
  public var hasBytes: Bool { type != UInt32(SHT_NOBITS) && type != UInt32(SHT_NULL) }
  /// The addresses of a loaded section; empty for others.
  public var addresses: Range<UInt64> { address..<(isLoaded ? address + UInt64(size) : address) }
}

extension ElfFile {
  /// The loaded segments, in the file's order.
  ///
  /// Errors: `truncated` if the file ends before the table or a segment does, `malformed` if a
  /// segment has more bytes in the file than in memory or wraps around the address space.
  func segments() throws(ImageError) -> [Segment] {
    var count = 0
    guard elf_getphdrnum(handle, &count) == 0 else {
      throw ImageError.libelf("has no readable program headers", offset: 32)
    }
    try require(
      header.e_phoff, UInt64(count), of: UInt64(header.e_phentsize), "its program headers")
    var segments: [Segment] = []
    for index in 0..<count {
      var entry = GElf_Phdr()
      let place = header.e_phoff + UInt64(index) * UInt64(header.e_phentsize)
      guard gelf_getphdr(handle, Int32(clamping: index), &entry) != nil else {
        throw ImageError.libelf("has an unreadable program header", offset: place)
      }
      guard entry.p_type == UInt32(PT_LOAD) else { continue }
      try require(entry.p_offset, entry.p_filesz, of: 1, "segment \(index)")
      guard entry.p_filesz <= entry.p_memsz, let memorySize = Int(exactly: entry.p_memsz),
        !entry.p_vaddr.addingReportingOverflow(entry.p_memsz).overflow
      else {
        throw ImageError(.malformed, "segment \(index) has impossible sizes", offset: place)
      }
      segments.append(
        Segment(
          address: entry.p_vaddr, fileOffset: Int(entry.p_offset), fileSize: Int(entry.p_filesz),
          memorySize: memorySize, flags: entry.p_flags))
    }
    return segments
  }

  /// Where the notes lie (PT_NOTE) of a file without section headers.
  func noteSegments() throws(ImageError) -> [(offset: Int, size: Int)] {
    var count = 0
    guard elf_getphdrnum(handle, &count) == 0 else {
      throw ImageError.libelf("has no readable program headers", offset: 32)
    }
    var notes: [(offset: Int, size: Int)] = []
    for index in 0..<count {
      var entry = GElf_Phdr()
      guard gelf_getphdr(handle, Int32(clamping: index), &entry) != nil,
        entry.p_type == UInt32(PT_NOTE), entry.p_filesz > 0
      else { continue }
      try require(entry.p_offset, entry.p_filesz, of: 1, "segment \(index)")
      notes.append((Int(entry.p_offset), Int(entry.p_filesz)))
    }
    return notes
  }

  /// All sections, the first (empty) one included, so that an index of the file is one of the array.
  ///
  /// Errors: `truncated` if the file ends before the table or a section does, `malformed` for a
  /// name outside the table of names or a section that wraps around the address space.
  func sections() throws(ImageError) -> [Section] {
    var count = 0
    var names = 0
    guard elf_getshdrnum(handle, &count) == 0, elf_getshdrstrndx(handle, &names) == 0 else {
      try require(header.e_shoff, 1, of: UInt64(header.e_shentsize), "its section headers")
      throw ImageError.libelf("has no readable section headers", offset: header.e_shoff)
    }
    try require(
      header.e_shoff, UInt64(max(count, Int(header.e_shnum))), of: UInt64(header.e_shentsize),
      "its section headers")
    var sections: [Section] = []
    sections.reserveCapacity(count)
    for index in 0..<count {
      let place = header.e_shoff + UInt64(index) * UInt64(header.e_shentsize)
      var entry = GElf_Shdr()
      guard let section = elf_getscn(handle, index), gelf_getshdr(section, &entry) != nil else {
        throw ImageError.libelf("has an unreadable section header", offset: place)
      }
      sections.append(
        try verified(entry, index: index, name: name(entry, in: names, at: place), at: place))
    }
    return sections
  }

  private func name(
    _ entry: GElf_Shdr, in table: Int, at place: UInt64
  ) throws(ImageError) -> String {
    guard entry.sh_type != UInt32(SHT_NULL), table != 0 else { return "" }
    guard let name = elf_strptr(handle, table, Int(entry.sh_name)) else {
      throw ImageError(.malformed, "a section's name lies outside the names", offset: place)
    }
    return String(cString: name)
  }

  private func verified(
    _ entry: GElf_Shdr, index: Int, name: String, at place: UInt64
  ) throws(ImageError) -> Section {
    let isEmpty = entry.sh_type == UInt32(SHT_NULL)
    if !isEmpty && entry.sh_type != UInt32(SHT_NOBITS) {
      try require(entry.sh_offset, entry.sh_size, of: 1, "section \(name)")
    }
    guard let offset = Int(exactly: entry.sh_offset), let size = Int(exactly: entry.sh_size),
      let entrySize = Int(exactly: entry.sh_entsize),
      !entry.sh_addr.addingReportingOverflow(entry.sh_size).overflow
    else {
      throw ImageError(.malformed, "section \(name) has impossible sizes", offset: place)
    }
    return Section(
      index: index, name: name, type: entry.sh_type, flags: entry.sh_flags,
      address: entry.sh_addr, fileOffset: offset, size: isEmpty ? 0 : size,
      link: Int(entry.sh_link), info: Int(entry.sh_info), entrySize: entrySize)
  }

  /// Requires `count` records of `size` bytes from `offset` on to lie in the file.
  private func require(
    _ offset: UInt64, _ count: UInt64, of size: UInt64, _ what: String
  ) throws(ImageError) {
    let total = UInt64(contents.bytes.count)
    let (length, tooMany) = count.multipliedReportingOverflow(by: size)
    let (end, wraps) = offset.addingReportingOverflow(length)
    guard !tooMany, !wraps, length == 0 || end <= total else {
      let needed = tooMany || wraps ? "" : ", of which \(end) are needed"
      throw ImageError(
        .truncated, "has \(total) bytes\(needed): \(what) ends beyond them", offset: total)
    }
  }
}
