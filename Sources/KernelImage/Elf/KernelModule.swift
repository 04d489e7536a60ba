import CElf
import Glibc

/// An opened kernel module (`.ko`): sections, symbols and relocations of a relocatable ELF file.
///
/// Addresses inside it are a section and an offset: a module has none before it is loaded.
public final class KernelModule: Sendable {
  /// A symbol of the module, or one that it takes from the kernel.
  public struct Symbol: Sendable, Hashable {
    public let name: String
    /// The offset in bytes from the start of its section.
    public let offset: UInt64
    /// Size in bytes; 0 if the file does not say.
    public let size: UInt64
    /// The index of the section it is defined in; nil for one that another object defines.
    public let section: Int?
    /// Whether it names a section rather than code or data.
    public let isSection: Bool
    public let isGlobal: Bool
  }

  /// A place that the kernel fills in when it loads the module (Elf64_Rela).
  public struct Relocation: Sendable, Hashable {
    /// The offset of the place in the relocated section.
    public let offset: Int
    /// R_X86_64_*.
    public let type: UInt32
    /// The number of the symbol that it refers to, an index of `symbols`.
    public let symbol: Int
    public let addend: Int64
  }

  /// The path inside the package or folder.
  /// What the kernel calls it (`name` in `.modinfo`, kernel/module/main.c), else its file's name.
  public let name: String
  public let sections: [Section]
  /// The symbols in the file's order, by the numbers that relocations use.
  public let symbols: [Symbol]
  /// The kernel release that it was built for: the first word of `vermagic` in `.modinfo`.
  public let release: String?
  let contents: Artefact.Contents

  /// Opens a module.
  ///
  /// Errors: `unsupported-format` (also for an ELF file that is not relocatable),
  /// `wrong-architecture`, `truncated`, `malformed`.
  public init(_ member: Artefact.Member) throws(ImageError) {
    let elf = try ElfFile(member.contents)
    guard Int32(elf.header.e_type) == ET_REL else {
      throw ImageError(.unsupportedFormat, "is not a relocatable ELF file (a module)", offset: 16)
    }
    guard elf.is64Bit else {
      throw ImageError(.wrongArchitecture, "is a module for 32-bit x86, not x86-64", offset: 4)
    }
    let sections = try elf.sections()
    contents = member.contents
    self.sections = sections
    symbols = try Self.symbols(elf, sections)
    let information = sections.first { $0.name == ".modinfo" && $0.hasBytes }
      .flatMap { Blob(member.contents, offset: $0.fileOffset, count: $0.size) }
    name = information.flatMap { Self.value(of: "name", in: $0.raw) } ?? member.name
    release = information.flatMap { Self.value(of: "vermagic", in: $0.raw) }
      .flatMap { $0.split(separator: " ").first.map(String.init) }
  }

  /// The first section of that name.
  public func section(named name: String) -> Section? { sections.first { $0.name == name } }

  /// A section's bytes in the file, before any relocation; nil if it has none.
  public func contents(of section: Section) -> UnsafeRawBufferPointer? {
    guard section.hasBytes else { return nil }
    return contents.bytes.raw.part(from: section.fileOffset, count: section.size)
  }

  /// The relocations of a section, in ascending order of offset; empty if it has none.
  ///
  /// Errors: `malformed` if one lies outside the section or refers to a symbol that is not there.
  public func relocations(for section: Section) throws(ImageError) -> [Relocation] {
    let elf = try ElfFile(contents)
    var relocations: [Relocation] = []
    for table in sections
    where table.type == UInt32(SHT_RELA) && table.info == section.index && table.size > 0 {
      let place = UInt64(table.fileOffset)
      let record = gelf_fsize(elf.handle, ELF_T_RELA, 1, UInt32(EV_CURRENT))
      guard let descriptor = elf_getscn(elf.handle, table.index), record > 0,
        let data = elf_getdata(descriptor, nil)
      else { throw ImageError.libelf("has unreadable relocations", offset: place) }
      for number in 0..<table.size / record {
        var entry = GElf_Rela()
        guard gelf_getrela(data, Int32(clamping: number), &entry) != nil else {
          throw ImageError.libelf("has an unreadable relocation", offset: place)
        }
        let symbol = Int(entry.r_info >> 32)
        guard entry.r_offset < UInt64(section.size), symbol < symbols.count else {
          throw ImageError(
            .malformed, "relocation \(number) of \(section.name) points outside", offset: place)
        }
        relocations.append(
          Relocation(
            offset: Int(entry.r_offset), type: UInt32(truncatingIfNeeded: entry.r_info),
            symbol: symbol, addend: entry.r_addend))
      }
    }
    return relocations.sorted { $0.offset < $1.offset }
  }

  /// The name to show for a symbol: its own, or that of the section it stands for.
  public func displayName(_ symbol: Symbol) -> String {
    guard symbol.isSection, let index = symbol.section, sections.indices.contains(index) else {
      return symbol.name
    }
    return sections[index].name
  }

  /// The named symbol that an offset of a section lies in or after, and the distance to it.
  public func nearest(to offset: UInt64, in section: Section) -> (name: String, offset: UInt64)? {
    let best =
      symbols
      .filter {
        $0.section == section.index && !$0.isSection && $0.offset <= offset && !$0.name.isEmpty
          && !SymbolTable.isAuxiliary($0.name)
      }
      .max { ($0.offset, $0.isGlobal ? 1 : 0) < ($1.offset, $1.isGlobal ? 1 : 0) }
    return best.map { ($0.name, offset - $0.offset) }
  }

  private static func symbols(
    _ elf: borrowing ElfFile, _ sections: [Section]
  ) throws(ImageError) -> [Symbol] {
    guard let table = sections.first(where: { $0.type == UInt32(SHT_SYMTAB) }) else { return [] }
    var symbols: [Symbol] = []
    try elf.forEachSymbol(in: table) { (_, symbol) throws(ImageError) in
      guard let name = elf.name(in: table.link, at: Int(symbol.nameOffset)) else {
        throw ImageError(
          .malformed, "has a symbol whose name lies outside the names, or has no end",
          offset: UInt64(table.fileOffset))
      }
      let index = Int(symbol.section)
      symbols.append(
        Symbol(
          name: name, offset: symbol.value, size: symbol.size,
          section: symbol.isDefined && sections.indices.contains(index) ? index : nil,
          isSection: Int32(symbol.type) == STT_SECTION, isGlobal: symbol.isGlobal))
    }
    return symbols
  }

  /// The value of a key in `.modinfo`, which holds zero-terminated `key=value` texts.
  private static func value(of key: String, in texts: UnsafeRawBufferPointer) -> String? {
    for text in texts.split(separator: 0) {
      let text = String(decoding: text, as: UTF8.self)
      if text.hasPrefix(key + "=") { return String(text.dropFirst(key.utf8.count + 1)) }
    }
    return nil
  }
}
