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
  /// No more than this is read of an ELF file.
  enum Limit {
    /// Segments; kernels have five.
    static let segments = 128
    /// Sections; one for each function (-ffunction-sections) makes some fifty thousand.
    static let sections = 1 << 18
    /// Symbols; a kernel with everything built in has a million.
    static let symbols = 1 << 23
    /// A name, in bytes; the kernel's own end at 512 (KSYM_NAME_LEN).
    static let name = 1024
  }

  /// Requires that parts of the file, taken together, are no larger than it is: what is read of each
  /// of them would else be read of the same bytes over and over.
  private func requireDisjoint(_ sizes: some Sequence<Int>, _ what: String) throws(ImageError) {
    var rest = 2 * contents.bytes.count
    for size in sizes {
      rest -= size
      guard rest >= 0 else {
        throw ImageError(
          .malformed, "\(what) overlap: together they are larger than the file",
          offset: what == "segments" ? header.e_phoff : header.e_shoff)
      }
    }
  }

  /// The loaded segments, in the file's order.
  ///
  /// Errors: `truncated` if the file ends before the table or a segment does, `malformed` if a
  /// segment has more bytes in the file than in memory or wraps around the address space.
  func segments() throws(ImageError) -> [Segment] {
    var segments: [Segment] = []
    for (index, entry) in try programHeaders().enumerated() where entry.p_type == UInt32(PT_LOAD) {
      try require(entry.p_offset, entry.p_filesz, of: 1, "segment \(index)")
      // An empty one may lie anywhere, beyond all files too.
      guard entry.p_filesz <= entry.p_memsz, let memorySize = Int(exactly: entry.p_memsz),
        let offset = Int(exactly: entry.p_offset),
        !entry.p_vaddr.addingReportingOverflow(entry.p_memsz).overflow
      else {
        throw ImageError(
          .malformed, "segment \(index) has impossible sizes",
          offset: header.e_phoff + UInt64(index) * UInt64(header.e_phentsize))
      }
      segments.append(
        Segment(
          address: entry.p_vaddr, fileOffset: offset, fileSize: Int(entry.p_filesz),
          memorySize: memorySize, flags: entry.p_flags))
    }
    try requireDisjoint(segments.lazy.map(\.fileSize), "segments")
    return segments
  }

  /// Where the notes lie (PT_NOTE) of a file without section headers.
  func noteSegments() throws(ImageError) -> [(offset: Int, size: Int)] {
    var notes: [(offset: Int, size: Int)] = []
    for (index, entry) in try programHeaders().enumerated()
    where entry.p_type == UInt32(PT_NOTE) && entry.p_filesz > 0 {
      try require(entry.p_offset, entry.p_filesz, of: 1, "segment \(index)")
      notes.append((Int(entry.p_offset), Int(entry.p_filesz)))
    }
    return notes
  }

  private func programHeaders() throws(ImageError) -> [GElf_Phdr] {
    // libelf counts those that the file holds; the header's own count shows what is missing.
    // PN_XNUM (0xFFFF) stands for a count that does not fit there.
    let stated = header.e_phnum == 0xFFFF ? 1 : UInt64(header.e_phnum)
    try require(header.e_phoff, stated, of: UInt64(header.e_phentsize), "its table of segments")
    var count = 0
    guard elf_getphdrnum(handle, &count) == 0 else {
      throw ImageError.libelf("has no readable program headers", offset: 32)
    }
    guard count <= Limit.segments else {
      throw ImageError(
        .tooLarge, "has \(count) segments, at most \(Limit.segments) are taken",
        offset: header.e_phoff)
    }
    var entries: [GElf_Phdr] = []
    for index in 0..<count {
      var entry = GElf_Phdr()
      guard gelf_getphdr(handle, Int32(clamping: index), &entry) != nil else {
        throw ImageError.libelf("has an unreadable program header", offset: header.e_phoff)
      }
      entries.append(entry)
    }
    return entries
  }

  /// All sections, the first (empty) one included, so that an index of the file is one of the array.
  ///
  /// Errors: `truncated` if the file ends before the table or a section does, `malformed` for a
  /// name outside the table of names or a section that wraps around the address space.
  func sections() throws(ImageError) -> [Section] {
    // A count of 0 at an offset means that it does not fit there and that the first header has it.
    if header.e_shoff != 0 {
      try require(
        header.e_shoff, UInt64(max(1, header.e_shnum)), of: UInt64(header.e_shentsize),
        "its table of sections")
    }
    var count = 0
    var names = 0
    guard elf_getshdrnum(handle, &count) == 0, elf_getshdrstrndx(handle, &names) == 0 else {
      throw ImageError.libelf("has no readable section headers", offset: header.e_shoff)
    }
    guard count <= Limit.sections else {
      throw ImageError(
        .tooLarge, "has \(count) sections, at most \(Limit.sections) are taken",
        offset: header.e_shoff)
    }
    // Bounds first: the names lie in a section themselves.
    var entries: [GElf_Shdr] = []
    for index in 0..<count {
      var entry = GElf_Shdr()
      guard let section = elf_getscn(handle, index), gelf_getshdr(section, &entry) != nil else {
        throw ImageError.libelf("has an unreadable section header", offset: place(ofSection: index))
      }
      if entry.sh_type != UInt32(SHT_NULL) && entry.sh_type != UInt32(SHT_NOBITS) {
        try require(entry.sh_offset, entry.sh_size, of: 1, "section \(index)")
      }
      entries.append(entry)
    }
    var sections: [Section] = []
    sections.reserveCapacity(count)
    for (index, entry) in entries.enumerated() {
      sections.append(try section(index, entry, namesIn: names))
    }
    try requireDisjoint(sections.lazy.filter(\.hasBytes).map(\.size), "sections")
    return sections
  }

  private func place(ofSection index: Int) -> UInt64 {
    header.e_shoff + UInt64(index) * UInt64(header.e_shentsize)
  }

  private func section(
    _ index: Int, _ entry: GElf_Shdr, namesIn table: Int
  ) throws(ImageError) -> Section {
    let isEmpty = entry.sh_type == UInt32(SHT_NULL)
    var name = ""
    if !isEmpty && table != 0 {
      guard let text = self.name(in: table, at: Int(entry.sh_name)) else {
        throw ImageError(
          .malformed, "the name of section \(index) lies outside the names, or has no end",
          offset: place(ofSection: index))
      }
      name = text
    }
    guard let offset = Int(exactly: entry.sh_offset), let size = Int(exactly: entry.sh_size),
      let entrySize = Int(exactly: entry.sh_entsize),
      !entry.sh_addr.addingReportingOverflow(entry.sh_size).overflow
    else {
      throw ImageError(
        .malformed, "section \(index) (\(name)) has impossible sizes",
        offset: place(ofSection: index))
    }
    return Section(
      index: index, name: name, type: entry.sh_type, flags: entry.sh_flags,
      address: entry.sh_addr, fileOffset: offset, size: isEmpty ? 0 : size,
      link: Int(entry.sh_link), info: Int(entry.sh_info), entrySize: entrySize)
  }

  /// The text at an offset of a section of names; nil if there is none of at most `Limit.name` bytes.
  func name(in table: Int, at offset: Int) -> String? {
    guard let text = elf_strptr(handle, table, offset),
      strnlen(text, Limit.name + 1) <= Limit.name
    else { return nil }
    return String(cString: text)
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
        .truncated, "has \(total) bytes\(needed): \(what) ends behind them", offset: total)
    }
  }
}
