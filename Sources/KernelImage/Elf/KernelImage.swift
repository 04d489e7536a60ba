import CElf
import Glibc

/// An opened vmlinux: its segments, sections, symbols, layouts and identity.
///
/// Nothing is read that nobody asks for. Every pointer that it hands out stays valid as long as the
/// image does. Safe to share between threads.
public final class KernelImage: Sendable {
  public let artefact: Artefact
  /// The loaded segments in the file's order, bounds verified.
  public let segments: [Segment]
  /// All sections by index, the empty first one included; empty if the file has no headers for them.
  public let sections: [Section]
  public let symbols: SymbolTable
  /// False for a 32-bit x86 kernel, which is a valid image.
  public let is64Bit: Bool
  public let identity: Identity
  /// Layouts of the kernel's structures, read when first asked for.
  public let layouts: StructLayouts
  /// What was noticed while opening, for people.
  public let notes: [String]
  private let tables: ImageTables

  /// Opens the kernel of an artefact.
  ///
  /// Errors: `no-kernel` if there is none or the ELF file is something else than a kernel,
  /// `unsupported-format`, `wrong-architecture`, `truncated`, `malformed`.
  public init(_ artefact: Artefact, systemMap: Artefact.Member? = nil) throws(ImageError) {
    guard let kernel = artefact.kernel else {
      throw ImageError(.noKernel, "holds no kernel image")
    }
    let elf = try ElfFile(kernel.contents)
    guard Int32(elf.header.e_type) == ET_EXEC || Int32(elf.header.e_type) == ET_DYN else {
      throw ImageError(
        .noKernel,
        Int32(elf.header.e_type) == ET_REL
          ? "is an object file or a module, not a kernel" : "is not an executable ELF file",
        offset: 16)
    }
    let segments = try elf.segments()
    let sections = try elf.sections()
    guard Self.holdsCode(segments, sections) else {
      throw ImageError(.noKernel, "holds no code (nothing but debugging information)")
    }
    self.artefact = artefact
    let space = AddressSpace(contents: kernel.contents, segments: segments)
    self.segments = segments
    self.sections = sections
    is64Bit = elf.is64Bit
    let found = SymbolSearch(
      space: space, sections: sections, is64Bit: elf.is64Bit, given: systemMap,
      packaged: artefact.systemMap
    ).run(symtab: try elf.symbols(sections))
    symbols = found.table
    let tables = ImageTables(space: space, sections: sections, symbols: found.table)
    self.tables = tables
    identity = try IdentityReader(tables: tables, artefact: artefact).identity(elf)
    layouts = StructLayouts(
      types: Lazy {
        tables.bytes(from: "__start_BTF", to: "__stop_BTF", orSection: ".BTF")
          .flatMap(TypeInformation.init)
      },
      recovered: Lazy { LayoutRecovery(tables: tables).layouts() })
    notes = found.notes
  }

  /// What `objcopy --only-keep-debug` leaves has the headers of code, but not its bytes.
  private static func holdsCode(_ segments: [Segment], _ sections: [Section]) -> Bool {
    let code = sections.filter { $0.isExecutable && $0.isLoaded }
    return segments.contains { $0.fileSize > 0 }
      && (code.isEmpty || code.contains { $0.hasBytes })
  }

  /// The bytes from `address` on; nil unless the file holds all of them in one segment.
  public func bytes(at address: UInt64, count: Int) -> UnsafeRawBufferPointer? {
    tables.space.bytes(at: address, count: count)
  }

  /// Where in the file the bytes from `address` on lie; nil unless it holds all of them in one
  /// segment.
  public func fileRange(at address: UInt64, count: Int) -> Range<Int>? {
    tables.space.fileRange(at: address, count: count)
  }

  /// The whole ELF file, as it was after every layer was taken off.
  public var fileContents: UnsafeRawBufferPointer { tables.space.contents.bytes.raw }

  /// A little-endian integer at an address; nil unless the file holds it.
  public func read<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type, at address: UInt64) -> T? {
    tables.space.read(T.self, at: address)
  }

  /// The text from `address` up to a zero byte; nil unless there is one within `limit` bytes.
  public func cString(at address: UInt64, limit: Int = 256) -> String? {
    tables.space.text(at: address, limit: limit).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The first section of that name.
  public func section(named name: String) -> Section? { sections.first { $0.name == name } }

  /// The loaded section that an address lies in.
  public func section(containing address: UInt64) -> Section? {
    sections.first { $0.addresses.contains(address) }
  }

  /// A section's bytes in the file; nil if it has none.
  public func contents(of section: Section) -> UnsafeRawBufferPointer? {
    guard section.hasBytes else { return nil }
    return tables.space.contents.bytes.raw.part(from: section.fileOffset, count: section.size)
  }

  /// The addresses between two symbols, such as `__alt_instructions` and `__alt_instructions_end`;
  /// where the symbols are not known or make no sense, those of a section.
  public func table(from start: String, to end: String, orSection name: String?) -> Range<UInt64>? {
    tables.range(from: start, to: end, orSection: name)
  }
}

extension KernelImage {
  /// Whether these bytes stand anywhere in the file.
  public func contains(_ bytes: [UInt8]) -> Bool {
    let contents = fileContents
    guard let first = bytes.first, let base = contents.baseAddress else { return bytes.isEmpty }
    var offset = 0
    while offset + bytes.count <= contents.count {
      guard let found = memchr(base + offset, Int32(first), contents.count - offset) else {
        return false
      }
      offset = found - UnsafeMutableRawPointer(mutating: base)
      guard offset + bytes.count <= contents.count else { return false }
      if memcmp(base + offset, bytes, bytes.count) == 0 { return true }
      offset += 1
    }
    return false
  }
}
