internal import KernelImage

/// The kernel's WARN and BUG places (`__bug_table`), by address.
struct BugTable: Sendable {
  struct Entry: Sendable {
    var address: UInt64
    /// Where its `struct bug_entry` lies: what 7.x hands to __WARN_trap.
    var entry: UInt64
    var isWarning: Bool
    /// The address of the source file's name; 0 where the kernel was built without it.
    var file: UInt64
    var line: Int
  }

  private var entries: [Entry]

  /// BUGFLAG_WARNING (include/linux/bug.h).
  private static let warningFlag: UInt16 = 1

  init(_ kernel: KernelImage) {
    entries = []
    if let table = kernel.table(
      from: "__start___bug_table", to: "__stop___bug_table", orSection: "__bug_table"),
      let bytes = kernel.bytes(at: table.lowerBound, count: table.count)
    {
      add(bytes, at: table.lowerBound, kernel.layouts.layout(of: "bug_entry"))
    }
  }

  /// Adds the entries of a table whose bytes lie at `start`.
  mutating func add(
    _ bytes: UnsafeRawBufferPointer, at start: UInt64, _ layout: StructLayouts.Layout?
  ) {
    if let layout, layout.size >= 6, let flags = layout.fields["flags"], flags + 2 <= layout.size {
      let file = layout.fields["file_disp"].flatMap { $0 + 4 <= layout.size ? $0 : nil }
      let line = layout.fields["line"].flatMap { $0 + 2 <= layout.size ? $0 : nil }
      var offset = 0
      while offset + layout.size <= bytes.count {
        let place = start &+ UInt64(offset)
        func address(_ field: Int) -> UInt64 {
          (place &+ UInt64(field)).displaced(
            bytes.loadUnaligned(fromByteOffset: offset + field, as: Int32.self))
        }
        func half(_ field: Int) -> UInt16 {
          bytes.loadUnaligned(fromByteOffset: offset + field, as: UInt16.self)
        }
        entries.append(
          Entry(
            address: address(0), entry: place, isWarning: half(flags) & Self.warningFlag != 0,
            file: file.map(address) ?? 0, line: line.map { Int(half($0)) } ?? 0))
        offset += layout.size
      }
    }
    entries.sort { $0.address < $1.address }
  }

  func entry(at address: UInt64) -> Entry? {
    var low = 0
    var high = entries.count
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].address < address { low = middle + 1 } else { high = middle }
    }
    return low < entries.count && entries[low].address == address ? entries[low] : nil
  }

  /// The entry that lies at `place`.
  func entry(lyingAt place: UInt64) -> Entry? { entries.first { $0.entry == place } }
}
