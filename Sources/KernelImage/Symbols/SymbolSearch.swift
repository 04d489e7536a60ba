/// Chooses the best source of symbols that an image has, and verifies what it had to decode.
///
/// In order: `.symtab`; a System.map that the user gave; kallsyms; a System.map that came with the
/// kernel; `__ksymtab` alone. Nothing but `.symtab` is believed if it contradicts the addresses of
/// the exported symbols.
struct SymbolSearch {
  let space: AddressSpace
  let sections: [Section]
  let is64Bit: Bool
  let given: Artefact.Member?
  let packaged: Artefact.Member?

  /// How decoded symbols compare with the exports.
  private enum Agreement: Equatable {
    case agrees(Int)
    case contradicts(String)
    case unknown
  }

  /// The table, and what was noticed on the way.
  func run(symtab: SymbolStore?) -> (table: SymbolTable, notes: [String]) {
    var notes: [String] = []
    if let symtab {
      if given != nil { notes.append("System.map not used: the image has a .symtab") }
      return (SymbolTable(.symtab, symtab), notes)
    }
    let exports = exportsBySection()
    if let given, let store = map(given, exports, &notes) {
      return (SymbolTable(.systemMap, store), notes)
    }
    if is64Bit, let store = kallsyms(exports, &notes) {
      return (SymbolTable(.kallsyms, store), notes)
    }
    if let packaged, let store = map(packaged, exports, &notes) {
      return (SymbolTable(.systemMap, store), notes)
    }
    if let store = exports?.symbols() {
      notes.append("symbols from __ksymtab alone: only exported ones are known")
      return (SymbolTable(.ksymtab, store), notes)
    }
    notes.append("no symbols")
    return (SymbolTable(.none, nil), notes)
  }

  private func map(
    _ member: Artefact.Member, _ exports: ExportTable?, _ notes: inout [String]
  ) -> SymbolStore? {
    guard let store = SystemMap.symbols(member.contents) else {
      notes.append("\(member.name) not used: it is not a System.map")
      return nil
    }
    guard case .contradicts(let name) = compare(store, exports) else {
      notes.append("symbols from \(member.name)")
      return store
    }
    notes.append("\(member.name) not used: \(name) is at another address in __ksymtab")
    return nil
  }

  private func kallsyms(_ exports: ExportTable?, _ notes: inout [String]) -> SymbolStore? {
    // Tokens without names that fit them are no accident: in a file with many of them each costs
    // as much as the real ones.
    var attempts = 4
    for region in regions() where attempts > 0 {
      guard let address = space.address(ofFileOffset: region.range.lowerBound),
        let tokens = KallsymsTokens.find(in: region)
      else { continue }
      guard let names = KallsymsNames(tokens) else {
        notes.append("kallsyms not used: no names that fit its tokens were found")
        attempts -= 1
        continue
      }
      let tables = KallsymsAddresses(
        region: region.raw, regionAddress: address, countStart: names.countStart,
        indexEnd: tokens.indexEnd, count: names.count)
      let index = Lazy { NameIndex(names.hashes()) }
      for layout in KallsymsLayout.allCases {
        guard let addresses = tables.read(layout), isPlausible(addresses) else { continue }
        let store = SymbolStore(names: names, addresses: addresses, index: index)
        switch compare(store, exports ?? exportsBySymbol(store)) {
        case .contradicts(let name):
          notes.append("kallsyms (\(layout.title)) not used: \(name) is elsewhere in __ksymtab")
        case .agrees(let compared):
          notes.append(
            "symbols from kallsyms (\(layout.title)); \(compared) exported addresses agree")
          return store
        case .unknown:
          notes.append("symbols from kallsyms (\(layout.title)); no exports to compare with")
          return store
        }
      }
      notes.append("kallsyms not used: no layout of its addresses makes sense")
    }
    return nil
  }

  /// Where kallsyms may lie, likeliest first: `.rodata`, other loaded data, or, without section
  /// headers, the segments.
  private func regions() -> [Blob] {
    let loaded = sections.filter {
      $0.isLoaded && $0.hasBytes && !$0.isExecutable && $0.size >= 4096
    }
    let ordered = loaded.filter { $0.name == ".rodata" } + loaded.filter { $0.name != ".rodata" }
    let parts =
      ordered.isEmpty
      ? segments.map { ($0.fileOffset, $0.fileSize) } : ordered.map { ($0.fileOffset, $0.size) }
    return parts.compactMap { Blob(space.contents, offset: $0.0, count: $0.1) }
  }

  private var segments: [Segment] { space.segments }

  /// Whether most addresses lie in the image. Those of per-CPU variables and absolute symbols need
  /// not.
  private func isPlausible(_ addresses: [UInt64]) -> Bool {
    let inside = addresses.lazy.filter { space.holds($0) }.count
    return inside >= addresses.count / 4 * 3 && inside > 0
  }

  private func exportsBySection() -> ExportTable? {
    ExportTable.recognise(
      sections
        .filter { ["__ksymtab", "__ksymtab_gpl"].contains($0.name) && $0.isLoaded }
        .map(\.addresses),
      in: space)
  }

  private func exportsBySymbol(_ store: SymbolStore) -> ExportTable? {
    let table = SymbolTable(.kallsyms, store)
    let ranges = ["__ksymtab", "__ksymtab_gpl"].compactMap { name -> Range<UInt64>? in
      guard let start = table.address(of: "__start_" + name),
        let end = table.address(of: "__stop_" + name), start <= end
      else { return nil }
      return start..<end
    }
    return ExportTable.recognise(ranges, in: space)
  }

  /// Looks up about a thousand exports, spread evenly over the table.
  private func compare(_ store: SymbolStore, _ exports: ExportTable?) -> Agreement {
    guard let exports else { return .unknown }
    var agreeing = 0
    for export in exports.sample(1024) {
      guard let name = exports.nameText(export) else { continue }
      let symbols = store.symbols(named: name)
      if symbols.isEmpty { continue }
      guard symbols.contains(where: { store.addresses[$0] == export.address }) else {
        return .contradicts(String(decoding: name, as: UTF8.self))
      }
      agreeing += 1
    }
    return agreeing > 0 ? .agrees(agreeing) : .unknown
  }
}
