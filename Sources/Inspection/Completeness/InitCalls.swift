import KernelImage

/// The init calls of a kernel, in the order in which it runs them.
struct InitCalls: Sendable {
  /// Of the functions.
  let addresses: [UInt64]
  /// Whether there is a table, and its entries lead nowhere.
  let areUnreadable: Bool

  /// Entries are place-relative 32-bit offsets, or pointers where the architecture has no such
  /// relocations (include/linux/init.h, HAVE_ARCH_PREL32_RELOCATIONS): told apart by which of them
  /// all lead to code.
  init(_ kernel: KernelImage) {
    guard
      let table = kernel.table(from: "__initcall_start", to: "__initcall_end", orSection: nil),
      let count = Int(exactly: table.upperBound - table.lowerBound), count > 0,
      let bytes = kernel.bytes(at: table.lowerBound, count: count)
    else {
      addresses = []
      areUnreadable = false
      return
    }
    func isCode(_ address: UInt64) -> Bool {
      kernel.sections.isEmpty
        ? kernel.segments.contains { $0.isExecutable && $0.backed.contains(address) }
        : kernel.section(containing: address)?.isExecutable ?? false
    }
    // A linker script's symbol may stand in front of the padding that aligns the table.
    func first(_ size: UInt64) -> Int { Int((size - table.lowerBound % size) % size) }
    let offsets = stride(from: first(4), through: count - 4, by: 4).map { offset in
      let distance = bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self)
      return table.lowerBound &+ UInt64(offset) &+ UInt64(bitPattern: Int64(distance))
    }
    let pointers = stride(from: first(8), through: count - 8, by: 8).map {
      bytes.loadUnaligned(fromByteOffset: $0, as: UInt64.self)
    }
    addresses =
      [pointers, offsets].first { !$0.isEmpty && $0.allSatisfy(isCode) } ?? []
    areUnreadable = addresses.isEmpty
  }

  /// The place of a function in the order; nil if it is no init call.
  func position(of function: UInt64) -> Int? { addresses.firstIndex(of: function) }
}
