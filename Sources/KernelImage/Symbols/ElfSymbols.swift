import CElf
import Glibc

/// One entry of an ELF symbol table.
struct ElfSymbol: Sendable {
  var nameOffset: UInt32
  var value: UInt64
  var size: UInt64
  /// STB_*.
  var binding: UInt8
  /// STT_*.
  var type: UInt8
  /// The section it is defined in; SHN_UNDEF (0) if in none, or a reserved index.
  var section: UInt16

  var isDefined: Bool { section != UInt16(SHN_UNDEF) }
  var isGlobal: Bool { Int32(binding) != STB_LOCAL }
}

extension ElfFile {
  /// Hands every entry of a symbol table to `body`, with its number.
  ///
  /// Errors: `malformed` if the section is none that libelf can read as symbols.
  func forEachSymbol(
    in section: Section, _ body: (Int, ElfSymbol) throws(ImageError) -> Void
  ) throws(ImageError) {
    guard section.size > 0 else { return }
    let place = UInt64(section.fileOffset)
    guard let descriptor = elf_getscn(handle, section.index),
      let data = elf_getdata(descriptor, nil)
    else { throw ImageError.libelf("has unreadable symbols", offset: place) }
    let record = gelf_fsize(handle, ELF_T_SYM, 1, UInt32(EV_CURRENT))
    guard record > 0 else { throw ImageError.libelf("has unreadable symbols", offset: place) }
    let count = section.size / record
    guard count <= Limit.symbols else {
      throw ImageError(
        .tooLarge, "has \(count) symbols, at most \(Limit.symbols) are taken", offset: place)
    }
    for number in 0..<count {
      var entry = GElf_Sym()
      guard gelf_getsym(data, Int32(clamping: number), &entry) != nil else {
        throw ImageError.libelf("has an unreadable symbol", offset: place)
      }
      try body(
        number,
        ElfSymbol(
          nameOffset: entry.st_name, value: entry.st_value, size: entry.st_size,
          binding: entry.st_info >> 4, type: entry.st_info & 0xF, section: entry.st_shndx))
    }
  }

  /// The defined, named symbols of `.symtab`; nil if the file has none.
  ///
  /// Errors: `malformed` if a name lies outside the table of names.
  func symbols(_ sections: [Section]) throws(ImageError) -> SymbolStore? {
    guard let table = sections.first(where: { $0.type == UInt32(SHT_SYMTAB) }), table.size > 0
    else { return nil }
    let place = UInt64(table.fileOffset)
    guard table.link < sections.count, sections[table.link].hasBytes,
      let text = Blob(
        contents, offset: sections[table.link].fileOffset, count: sections[table.link].size),
      var names = TextNames(text)
    else { throw ImageError(.malformed, "has symbols without a table of names", offset: place) }
    var addresses: [UInt64] = []
    var sizes: [UInt64] = []
    let capacity = table.size / 24
    names.reserveCapacity(capacity)
    addresses.reserveCapacity(capacity)
    sizes.reserveCapacity(capacity)
    let characters = text.raw
    try forEachSymbol(in: table) { (_, symbol) throws(ImageError) in
      guard symbol.nameOffset < characters.count else {
        throw ImageError(.malformed, "has a symbol whose name lies outside", offset: place)
      }
      guard symbol.isDefined, characters[Int(symbol.nameOffset)] != 0,
        Int32(symbol.type) != STT_FILE, Int32(symbol.type) != STT_SECTION
      else { return }
      names.append(offset: symbol.nameOffset, isGlobal: symbol.isGlobal)
      addresses.append(symbol.value)
      sizes.append(symbol.size)
    }
    return addresses.isEmpty ? nil : SymbolStore(names: names, addresses: addresses, sizes: sizes)
  }
}
