/// Finds the tables of an image by the symbols around them, or by their sections.
struct ImageTables: Sendable {
  let space: AddressSpace
  let sections: [Section]
  let symbols: SymbolTable

  /// The addresses between two symbols; where they are not known or make no sense, a section's.
  func range(from start: String, to end: String, orSection name: String?) -> Range<UInt64>? {
    if let start = symbols.address(of: start), let end = symbols.address(of: end), start <= end {
      return start..<end
    }
    guard let section = sections.first(where: { $0.name == name }), section.isLoaded else {
      return nil
    }
    return section.addresses
  }

  /// The bytes of such a table; nil unless the file holds all of it.
  func bytes(from start: String, to end: String, orSection name: String?) -> UnsafeRawBufferPointer?
  {
    guard let range = range(from: start, to: end, orSection: name),
      let count = Int(exactly: range.upperBound - range.lowerBound)
    else { return nil }
    return space.bytes(at: range.lowerBound, count: count)
  }

  /// Whether an address holds code, by the sections' flags, or by the segments' if there are none.
  func isCode(_ address: UInt64) -> Bool {
    sections.isEmpty
      ? space.segments.contains { $0.isExecutable && $0.backed.contains(address) }
      : sections.contains { $0.isExecutable && $0.addresses.contains(address) }
  }
}
