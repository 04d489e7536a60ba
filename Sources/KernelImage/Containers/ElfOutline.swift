internal import CElf

/// What of an ELF file decides whether it is taken: its type, its architecture, and whether all
/// that its tables name lies within it.
///
/// Every member passes this check before it leaves the containers, so a file cut off anywhere is
/// told here, with the place.
struct ElfOutline {
  static let magic: [UInt8] = [0x7F, 0x45, 0x4C, 0x46]

  enum Kind: Hashable {
    /// A linked kernel.
    case kernel
    /// A relocatable file, as modules are.
    case module
  }

  let kind: Kind
  /// Whether any section holds instructions. A file of debug information alone keeps the section
  /// headers without their contents.
  let hasCode: Bool

  /// Names for the architectures that Linux runs on (e_machine, System V gABI).
  private static let machines: [Int: String] = [
    2: "SPARC", 8: "MIPS", 15: "PA-RISC", 18: "SPARC", 20: "PowerPC", 21: "PowerPC 64",
    22: "S/390", 40: "ARM", 42: "SuperH", 43: "SPARC 64", 50: "IA-64", 94: "Xtensa",
    183: "ARM64", 243: "RISC-V", 252: "C-SKY", 258: "LoongArch",
  ]

  init(_ file: UnsafeRawBufferPointer) throws(ImageError) {
    guard let base = file.baseAddress, file.holds(Self.magic) else {
      throw ImageError(.unsupportedFormat, "is not an ELF file", offset: 0)
    }
    try Self.checkArchitecture(file)
    guard elf_version(UInt32(EV_CURRENT)) != UInt32(EV_NONE) else {
      throw ImageError(.library, "libelf is older than its header")
    }
    // libelf takes a mutable pointer and writes only through elf_update(), which is never called.
    guard
      let elf = elf_memory(
        UnsafeMutableRawPointer(mutating: base).assumingMemoryBound(to: CChar.self), file.count)
    else { throw Self.failure() }
    defer { elf_end(elf) }

    var header = GElf_Ehdr()
    guard gelf_getehdr(elf, &header) != nil else { throw Self.failure() }
    try Self.checkSegments(elf, header, fileSize: file.count)
    hasCode = try Self.checkSections(elf, header, fileSize: file.count)
    switch Int32(header.e_type) {
    case ET_REL: kind = .module
    case ET_EXEC, ET_DYN: kind = .kernel
    default:
      throw ImageError(
        .unsupportedFormat,
        "is an ELF file of type \(header.e_type), neither a kernel nor a module", offset: 0x10)
    }
  }

  /// The architecture before anything else: a kernel for another one is no damaged file.
  private static func checkArchitecture(_ file: UnsafeRawBufferPointer) throws(ImageError) {
    guard let encoding = file.number(UInt8.self, at: Int(EI_DATA)),
      let little = file.number(UInt16.self, at: 18)
    else {
      throw ImageError(
        .truncated, "ends within its ELF header", offset: UInt64(file.count))
    }
    let machine = Int(encoding == ELFDATA2MSB ? little.byteSwapped : little)
    guard encoding == ELFDATA2LSB, machine == EM_X86_64 || machine == EM_386 else {
      let name = machines[machine] ?? "ELF machine \(machine)"
      throw ImageError(.wrongArchitecture, "is for \(name), not for x86", offset: 18)
    }
  }

  private static func checkSegments(
    _ elf: OpaquePointer, _ header: GElf_Ehdr, fileSize: Int
  ) throws(ImageError) {
    // libelf counts the entries it can reach; the header's own count shows what was cut off.
    try check(
      "the program header table", at: header.e_phoff,
      size: UInt64(header.e_phnum) * UInt64(header.e_phentsize), fileSize)
    var count = 0
    guard elf_getphdrnum(elf, &count) == 0 else { throw failure() }
    for index in 0..<count {
      var segment = GElf_Phdr()
      guard gelf_getphdr(elf, Int32(clamping: index), &segment) != nil else { throw failure() }
      guard segment.p_type != PT_INTERP else {
        throw ImageError(
          .unsupportedFormat, "is a program for Linux, not its kernel", offset: header.e_phoff)
      }
      try check("segment \(index)", at: segment.p_offset, size: segment.p_filesz, fileSize)
    }
  }

  private static func checkSections(
    _ elf: OpaquePointer, _ header: GElf_Ehdr, fileSize: Int
  ) throws(ImageError) -> Bool {
    if header.e_shoff == 0 { return true }
    // 0 sections at an offset means that the first one's size is the count (gABI, e_shnum).
    try check(
      "the section header table", at: header.e_shoff,
      size: max(1, UInt64(header.e_shnum)) * UInt64(header.e_shentsize), fileSize)
    var hasCode = false
    var next = elf_nextscn(elf, nil)
    while let section = next {
      var entry = GElf_Shdr()
      guard gelf_getshdr(section, &entry) != nil else { throw failure() }
      if entry.sh_type != SHT_NOBITS, entry.sh_type != SHT_NULL {
        try check(
          "section \(elf_ndxscn(section))", at: entry.sh_offset, size: entry.sh_size, fileSize)
        if entry.sh_flags & UInt64(SHF_EXECINSTR) != 0, entry.sh_size > 0 { hasCode = true }
      }
      next = elf_nextscn(elf, section)
    }
    return hasCode
  }

  private static func check(
    _ what: @autoclosure () -> String, at offset: UInt64, size: UInt64, _ fileSize: Int
  ) throws(ImageError) {
    let (end, overflow) = offset.addingReportingOverflow(size)
    guard overflow || end > UInt64(fileSize) else { return }
    let place = overflow ? "past 2^64" : "at 0x\(String(end, radix: 16))"
    throw ImageError(
      .truncated, "\(what()) ends \(place), the file has \(fileSize) bytes",
      offset: UInt64(fileSize))
  }

  private static func failure() -> ImageError {
    let text = elf_errmsg(-1).map { String(cString: $0) } ?? "unknown error"
    return ImageError(.malformed, "is a broken ELF file: \(text)", offset: 0)
  }
}
