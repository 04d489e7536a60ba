internal import KernelImage
internal import Mitigation

/// The sites of one module.
///
/// Nothing in a module has its value before it is loaded: what entries and calls refer to stands in
/// the relocations.
struct ModuleSites {
  private(set) var sites: [FoundSite] = []
  private(set) var notes: [String] = []

  private let module: KernelModule
  private let finder: SiteFinder
  /// The module's name as the kernel shows it, without folder and suffix.
  private let name: String
  /// The numbers of the symbols that stand for the sequence.
  private let targets: [Int: String]

  /// R_X86_64_PC32 and R_X86_64_PLT32, with which calls are relocated (x86-64 psABI).
  private static let callTypes: [UInt32] = [2, 4]

  init(_ module: KernelModule, _ finder: SiteFinder, _ decoder: borrowing Decoder) {
    self.module = module
    self.finder = finder
    let file = module.name.split(separator: "/").last.map(String.init) ?? module.name
    name = file.split(separator: ".").first.map(String.init) ?? file
    let known = Set(SequenceSymbol.known.map(\.name))
    targets = Dictionary(
      uniqueKeysWithValues: module.symbols.enumerated().compactMap { number, symbol in
        symbol.section == nil && known.contains(symbol.name) ? (number, symbol.name) : nil
      })
    guard !targets.isEmpty else { return }
    do {
      try findAlternatives(decoder)
      try findCalls(decoder)
    } catch {
      notes.append("\(name): \(error)")
    }
  }

  // MARK: Alternatives

  /// A place in one of the module's sections.
  private struct Target {
    var section: Section
    var offset: UInt64
  }

  private mutating func findAlternatives(_ decoder: borrowing Decoder) throws(ImageError) {
    guard let table = module.section(named: ".altinstructions"),
      let bytes = module.contents(of: table),
      let replacements = module.section(named: ".altinstr_replacement"),
      let code = module.contents(of: replacements)
    else { return }
    let calls = try module.relocations(for: replacements).filter {
      targets[$0.symbol] != nil && Self.callTypes.contains($0.type)
    }
    guard !calls.isEmpty else { return }
    let places = try module.relocations(for: table)
    guard let layout = layout(bytes.count, places) else {
      notes.append("\(name): no known layout fits its table of alternatives")
      return
    }
    let byOffset = Dictionary(
      places.map { ($0.offset, $0) }, uniquingKeysWith: { first, _ in first })
    for start in stride(from: 0, to: bytes.count, by: layout.stride) {
      guard let site = byOffset[start].flatMap(target),
        let replacement = byOffset[start + 4].flatMap(target)
      else { continue }
      let record = UnsafeRawBufferPointer(rebasing: bytes[start..<(start + layout.stride)])
      var entry = layout.entry(record, at: UInt64(start))
      entry.site = site.offset
      entry.replacement = replacement.offset
      let range =
        Int(
          clamping: entry.replacement)..<Int(clamping: entry.replacement)
        .advanced(by: entry.replacementLength)
      guard replacement.section.index == replacements.index, range.upperBound <= code.count,
        let call = calls.first(where: { range.contains($0.offset) })
      else { continue }
      let part = UnsafeRawBufferPointer(rebasing: code[range])
      append(entry, site, part, call, decoder)
    }
  }

  /// The layout with whose two offsets of each entry all relocations of the table agree.
  private func layout(
    _ size: Int, _ places: [KernelModule.Relocation]
  ) -> AlternativesLayout? {
    AlternativesLayout.known.first { layout in
      size > 0 && size.isMultiple(of: layout.stride)
        && places.count == 2 * (size / layout.stride)
        && places.allSatisfy { [0, 4].contains($0.offset % layout.stride) }
    }
  }

  private func target(_ relocation: KernelModule.Relocation) -> Target? {
    let symbol = module.symbols[relocation.symbol]
    guard let index = symbol.section else { return nil }
    let section = module.sections[index]
    let offset = symbol.offset &+ UInt64(bitPattern: relocation.addend)
    return offset <= UInt64(section.size) ? Target(section: section, offset: offset) : nil
  }

  private mutating func append(
    _ entry: AlternativeEntry, _ place: Target, _ code: UnsafeRawBufferPointer,
    _ call: KernelModule.Relocation, _ decoder: borrowing Decoder
  ) {
    let instructions = decoder.decode(code, at: entry.replacement)
    let field = call.offset - Int(entry.replacement)
    guard let index = instructions.firstIndex(where: { $0.range.contains(field) }),
      let symbol = targets[call.symbol]
    else { return }
    switch instructions[index].kind {
    case .call, .jump: break
    default: return
    }
    let replacement = Replacement(
      instructions, call: index,
      target: finder.functions.functions.first { $0.symbol == symbol }?.address)
    let entryPoint = entryPoint(place)
    let original = module.contents(of: place.section)
      .flatMap { part($0, from: Int(place.offset), count: entry.originalLength) }
    let behind = place.offset + UInt64(entry.originalLength)
    let site = Site(
      entryPoint: entryPoint, kind: .alternative, image: name, address: Address(place.offset),
      symbol: symbolLabel(place), section: place.section.name,
      feature: finder.features.reference(entry.feature, use: entryPoint.map { .site($0) }),
      negated: entry.negated, original: original.map { HexBytes($0) },
      replacement: HexBytes(code),
      originalText: original.map { decoder.text(of: $0, at: place.offset) },
      replacementText: decoder.text(of: code, at: entry.replacement) {
        $0.range.contains(field) ? symbol : nil
      }, target: symbol,
      barrier: replacement.isFullyDecoded || replacement.hasBarrier ? replacement.hasBarrier : nil)
    sites.append(
      FoundSite(
        site: site, entry: entry, replacement: replacement,
        barrierFollows: barrier(behind: behind, in: place.section, decoder)))
  }

  // MARK: Direct calls

  private mutating func findCalls(_ decoder: borrowing Decoder) throws(ImageError) {
    for section in module.sections
    where section.isExecutable && section.name != ".altinstr_replacement" {
      guard let code = module.contents(of: section) else { continue }
      for call in try module.relocations(for: section) where Self.callTypes.contains(call.type) {
        // A call's opcode is the one byte in front of its displacement; so is a jump's.
        guard let symbol = targets[call.symbol], call.offset >= 1, call.offset + 4 <= code.count,
          [0xE8, 0xE9].contains(code[call.offset - 1])
        else { continue }
        let place = Target(section: section, offset: UInt64(call.offset - 1))
        let bytes = UnsafeRawBufferPointer(rebasing: code[(call.offset - 1)..<(call.offset + 4)])
        let site = Site(
          entryPoint: entryPoint(place), kind: .direct, image: name, address: Address(place.offset),
          symbol: symbolLabel(place), section: section.name, feature: nil,
          original: HexBytes(bytes), replacement: nil,
          originalText: decoder.text(of: bytes, at: place.offset) { _ in symbol }, target: symbol)
        sites.append(
          FoundSite(
            site: site, barrierFollows: barrier(behind: place.offset + 5, in: section, decoder)))
      }
    }
  }

  // MARK: Where something is

  private func entryPoint(_ place: Target) -> EntryPoint? {
    module.nearest(to: place.offset, in: place.section)
      .flatMap { EntryPointSymbol.entryPoint(of: $0.name) }
  }

  private func symbolLabel(_ place: Target) -> String? {
    module.nearest(to: place.offset, in: place.section)
      .map { SiteFinder.label($0.name, $0.offset) }
  }

  private func part(
    _ bytes: UnsafeRawBufferPointer, from start: Int, count: Int
  ) -> UnsafeRawBufferPointer? {
    guard start >= 0, start <= bytes.count, count <= bytes.count - start else { return nil }
    return UnsafeRawBufferPointer(rebasing: bytes[start..<(start + count)])
  }

  private func barrier(
    behind offset: UInt64, in section: Section, _ decoder: borrowing Decoder
  ) -> Bool {
    guard let code = module.contents(of: section), offset < UInt64(code.count) else { return false }
    let rest = UnsafeRawBufferPointer(rebasing: code[Int(offset)...])
    return decoder.reachesBarrier(rest, at: offset)
  }
}
