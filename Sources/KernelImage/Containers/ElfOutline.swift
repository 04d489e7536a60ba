internal import CElf

/// What of an ELF file decides whether it is taken: its type, its architecture, and whether all
/// that its tables name lies within it.
///
/// Every member passes this before it leaves the containers, so a file cut off anywhere is told
/// here, with the place.
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

  init(_ contents: Artefact.Contents) throws(ImageError) {
    let elf = try ElfFile(contents)
    _ = try elf.segments()
    let sections = try elf.sections()
    switch Int32(elf.header.e_type) {
    case ET_REL: kind = .module
    case ET_EXEC, ET_DYN: kind = .kernel
    default:
      throw ImageError(
        .unsupportedFormat,
        "is an ELF file of type \(elf.header.e_type), neither a kernel nor a module", offset: 0x10)
    }
    guard !Self.isForUserSpace(elf) else {
      throw ImageError(
        .unsupportedFormat, "is a program or library for Linux, not its kernel",
        offset: elf.header.e_phoff)
    }
    // A kernel without section headers has only its segments to tell.
    hasCode =
      sections.count <= 1
      || sections.contains { $0.isExecutable && $0.hasBytes && $0.size > 0 }
  }

  /// Whether it wants a dynamic loader: a program names it (PT_INTERP), a library has something
  /// for it to link (PT_DYNAMIC). An x86 kernel relocates itself by a table of its own.
  private static func isForUserSpace(_ elf: borrowing ElfFile) -> Bool {
    (0..<Int32(elf.header.e_phnum)).contains { index in
      var segment = GElf_Phdr()
      guard gelf_getphdr(elf.handle, index, &segment) != nil else { return false }
      return segment.p_type == PT_INTERP || segment.p_type == PT_DYNAMIC
    }
  }
}
