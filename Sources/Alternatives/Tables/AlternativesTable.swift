public import KernelImage

/// The table of alternatives of a kernel image, checked entry by entry.
public struct AlternativesTable: Sendable {
  /// How the entries are laid out; nil if there are none or no known layout fits.
  public let layout: AlternativesLayout?
  /// Where the table lies; nil if the image has none.
  public let range: Range<UInt64>?
  /// In the table's order. Faulty ones are among them.
  public let entries: [AlternativeEntry]
  /// What is wrong with the table; empty for every right build.
  public let faults: [TableFault]

  /// Reads the table between `__alt_instructions` and `__alt_instructions_end`, or the section
  /// `.altinstructions` where the symbols are not known.
  public init(_ kernel: KernelImage) {
    let range = kernel.table(
      from: "__alt_instructions", to: "__alt_instructions_end", orSection: ".altinstructions")
    guard let range, !range.isEmpty else {
      self.init(layout: nil, range: range, entries: [], faults: [])
      return
    }
    guard let count = Int(exactly: range.upperBound - range.lowerBound),
      let bytes = kernel.bytes(at: range.lowerBound, count: count)
    else {
      let fault = TableFault(kind: .tableOutside, address: range.lowerBound, site: nil)
      self.init(layout: nil, range: range, entries: [], faults: [fault])
      return
    }
    self.init(bytes, range: range, bounds: CodeBounds(kernel))
  }

  private init(
    layout: AlternativesLayout?, range: Range<UInt64>?, entries: [AlternativeEntry],
    faults: [TableFault]
  ) {
    self.layout = layout
    self.range = range
    self.entries = entries
    self.faults = faults
  }

  /// A longer table is not read, in bytes: some hundred times as long as a kernel's with everything
  /// built in.
  static let longest = 16 << 20

  init(_ bytes: UnsafeRawBufferPointer, range: Range<UInt64>, bounds: CodeBounds) {
    let start = range.lowerBound
    guard bytes.count <= Self.longest else {
      let fault = TableFault(kind: .tooLong, address: start, site: nil)
      self.init(layout: nil, range: range, entries: [], faults: [fault])
      return
    }
    guard let layout = Self.layout(of: bytes, at: start, bounds) else {
      let fault = TableFault(kind: .unknownLayout, address: start, site: nil)
      self.init(layout: nil, range: range, entries: [], faults: [fault])
      return
    }
    let count = bytes.count / layout.stride
    var entries: [AlternativeEntry] = []
    entries.reserveCapacity(count)
    var faults: [TableFault] = []
    for index in 0..<count {
      let entry = Self.entry(index, of: bytes, at: start, layout)
      for kind in bounds.faults(of: entry) {
        faults.append(TableFault(kind: kind, address: entry.address, site: entry.site))
      }
      entries.append(entry)
    }
    if count * layout.stride != bytes.count {
      let rest = start + UInt64(count * layout.stride)
      faults.append(TableFault(kind: .partialEntry, address: rest, site: nil))
    }
    faults += Self.overlaps(entries)
    self.init(layout: layout, range: range, entries: entries, faults: faults)
  }

  private static func entry(
    _ index: Int, of bytes: UnsafeRawBufferPointer, at start: UInt64, _ layout: AlternativesLayout
  ) -> AlternativeEntry {
    let offset = index * layout.stride
    return layout.entry(
      UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + layout.stride)]),
      at: start &+ UInt64(offset))
  }

  /// The known layout with which the first entries make the most sense; nil if with none of them
  /// half do. A few wrong entries thus do not hide the layout, and are found as faults.
  private static func layout(
    of bytes: UnsafeRawBufferPointer, at start: UInt64, _ bounds: CodeBounds
  ) -> AlternativesLayout? {
    var best: (layout: AlternativesLayout, share: Double)?
    for layout in AlternativesLayout.known where bytes.count >= layout.stride {
      let sample = min(bytes.count / layout.stride, 256)
      let sound = (0..<sample).count { index in
        bounds.faults(of: entry(index, of: bytes, at: start, layout)).isEmpty
      }
      let share = Double(sound) / Double(sample)
      if share >= 0.5, share > best?.share ?? 0 { best = (layout, share) }
    }
    return best?.layout
  }

  /// Entries whose sites overlap without beginning at the same address.
  ///
  /// Those that share a beginning are alternatives of one site (ALTERNATIVE_2 and nested ones),
  /// which may differ in length: the kernel pads them to the longest.
  private static func overlaps(_ entries: [AlternativeEntry]) -> [TableFault] {
    let order = entries.indices.sorted { entries[$0].site < entries[$1].site }
    var faults: [TableFault] = []
    var previous: AlternativeEntry?
    for index in order {
      let entry = entries[index]
      guard let last = previous else {
        previous = entry
        continue
      }
      if entry.site != last.site, entry.originalLength > 0,
        entry.site - last.site < UInt64(last.originalLength)
      {
        faults.append(TableFault(kind: .overlap, address: entry.address, site: entry.site))
      }
      // Of two with the same end the later start matters no more.
      if entry.siteRange.upperBound >= last.siteRange.upperBound { previous = entry }
    }
    return faults
  }
}

/// The code that entries may refer to.
struct CodeBounds: Sendable {
  /// What the file holds of the loaded segments.
  var sites: [Range<UInt64>]
  /// Where replacements lie.
  var replacements: [Range<UInt64>]

  /// A number that no feature reaches: kernels of today have 23 words of features and 2 of bugs.
  static let features = 64 * 32

  init(sites: [Range<UInt64>], replacements: [Range<UInt64>]) {
    self.sites = sites
    self.replacements = replacements
  }

  init(_ kernel: KernelImage) {
    sites = kernel.segments.map(\.backed)
    replacements = kernel.sections.filter { $0.name == ".altinstr_replacement" && $0.isLoaded }
      .map(\.addresses)
    if replacements.isEmpty { replacements = sites }
  }

  /// What is wrong with an entry by itself.
  func faults(of entry: AlternativeEntry) -> [TableFault.Kind] {
    var kinds: [TableFault.Kind] = []
    if !Self.holds(sites, entry.site, entry.originalLength) { kinds.append(.siteOutside) }
    // An empty replacement (padding alone) may point anywhere.
    if entry.replacementLength > 0,
      !Self.holds(replacements, entry.replacement, entry.replacementLength)
    {
      kinds.append(.replacementOutside)
    }
    if entry.replacementLength > entry.originalLength { kinds.append(.replacementTooLong) }
    if entry.feature >= Self.features { kinds.append(.unknownFeature) }
    return kinds
  }

  private static func holds(_ ranges: [Range<UInt64>], _ address: UInt64, _ count: Int) -> Bool {
    for range in ranges where range.contains(address) {
      if UInt64(count) <= range.upperBound - address { return true }
    }
    return false
  }
}
