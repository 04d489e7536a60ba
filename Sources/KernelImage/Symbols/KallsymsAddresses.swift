/// How kallsyms writes the addresses of its symbols.
///
/// Kernels have done it in four ways, at one of two places (scripts/kallsyms.c, write_src()): before
/// the count of names, or behind the index of tokens. None is marked; each is tried.
enum KallsymsLayout: CaseIterable, Sendable {
  /// `kallsyms_offsets` from `kallsyms_relative_base`, behind the tokens.
  case baseBehindTokens
  /// `kallsyms_offsets` from `kallsyms_relative_base`, before the names.
  case baseBeforeNames
  /// `kallsyms_addresses`, before the names.
  case absoluteBeforeNames
  /// `kallsyms_offsets`, each from its own place, behind the tokens.
  case ownPlace

  /// The name for people.
  var title: String {
    switch self {
    case .baseBehindTokens: "offsets from a base, behind the names"
    case .baseBeforeNames: "offsets from a base, before the names"
    case .absoluteBeforeNames: "absolute addresses"
    case .ownPlace: "place-relative"
    }
  }
}

/// Reads the addresses of kallsyms under one assumption after the other.
struct KallsymsAddresses {
  let region: UnsafeRawBufferPointer
  /// The address that the region's first byte is loaded at.
  let regionAddress: UInt64
  /// Where the tables lie in the region, in bytes.
  let countStart: Int
  let indexEnd: Int
  let count: Int

  /// The addresses under an assumption; nil where they cannot be: outside the region, without a
  /// base in the kernel's half of the address space, or not in ascending order.
  func read(_ layout: KallsymsLayout) -> [UInt64]? {
    let words = 4 * count
    let addresses: [UInt64]?
    switch layout {
    case .baseBehindTokens:
      let offsets = aligned(indexEnd, up: true)
      addresses = relative(offsetsAt: offsets, baseAt: aligned(offsets + words, up: true))
    case .baseBeforeNames:
      let base = aligned(countStart, up: false) - 8
      addresses = relative(offsetsAt: aligned(base - words, up: false), baseAt: base)
    case .absoluteBeforeNames:
      addresses = absolute(at: aligned(countStart, up: false) - 2 * words)
    case .ownPlace:
      addresses = ownPlace(at: indexEnd + (-indexEnd & 3))
    }
    return addresses.flatMap { AddressOrder.isAscending($0) ? $0 : nil }
  }

  /// The next multiple of eight addresses from a place of the region.
  private func aligned(_ position: Int, up: Bool) -> Int {
    let excess = Int((regionAddress &+ UInt64(truncatingIfNeeded: position)) & 7)
    return excess == 0 ? position : up ? position + 8 - excess : position - excess
  }

  /// Offsets from a base. With KALLSYMS_ABSOLUTE_PERCPU an offset of zero or more is an address
  /// itself (of a per-CPU variable), and a negative one counts from the base down, plus one.
  private func relative(offsetsAt start: Int, baseAt: Int) -> [UInt64]? {
    guard let base = region.integer(UInt64.self, at: baseAt), base >> 63 == 1,
      let offsets = region.part(from: start, count: 4 * count)
    else { return nil }
    let perCPU = offset(in: offsets, count - 1) < 0
    return (0..<count).map { symbol in
      let offset = offset(in: offsets, symbol)
      guard perCPU else { return base &+ UInt64(UInt32(bitPattern: offset)) }
      return offset >= 0
        ? UInt64(offset) : base &- 1 &- UInt64(bitPattern: Int64(offset))
    }
  }

  private func ownPlace(at start: Int) -> [UInt64]? {
    guard let offsets = region.part(from: start, count: 4 * count) else { return nil }
    let place = regionAddress &+ UInt64(start)
    return (0..<count).map { symbol in
      place &+ UInt64(4 * symbol) &+ UInt64(bitPattern: Int64(offset(in: offsets, symbol)))
    }
  }

  private func absolute(at start: Int) -> [UInt64]? {
    guard let addresses = region.part(from: start, count: 8 * count) else { return nil }
    return (0..<count).map { addresses.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self) }
  }

  private func offset(in offsets: UnsafeRawBufferPointer, _ symbol: Int) -> Int32 {
    offsets.loadUnaligned(fromByteOffset: 4 * symbol, as: Int32.self)
  }
}
