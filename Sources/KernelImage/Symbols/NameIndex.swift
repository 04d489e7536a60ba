/// Finds symbols by the hash of their names, several of which may have the same: chains, because a
/// file in which all symbols have one name would make a probe of each slot go past all the others.
struct NameIndex: Sendable {
  private let hashes: [UInt32]
  /// The first symbol of each chain plus one; 0: none.
  private let slots: [UInt32]
  /// The symbol after each one in its chain, plus one; 0: none.
  private let next: [UInt32]

  init(_ hashes: [UInt32]) {
    self.hashes = hashes
    var capacity = 16
    while capacity < hashes.count * 2 { capacity *= 2 }
    var slots = [UInt32](repeating: 0, count: capacity)
    var next = [UInt32](repeating: 0, count: hashes.count)
    let mask = capacity - 1
    // Each comes in front of its chain: from the last on, chains are in the table's order.
    for symbol in hashes.indices.reversed() {
      let slot = Int(hashes[symbol]) & mask
      next[symbol] = slots[slot]
      slots[slot] = UInt32(truncatingIfNeeded: symbol + 1)
    }
    self.slots = slots
    self.next = next
  }

  /// The symbols whose names have this hash, in the table's order.
  func candidates(_ hash: UInt32) -> [Int] {
    var link = slots[Int(hash) & (slots.count - 1)]
    var found: [Int] = []
    while link != 0 {
      let symbol = Int(link) - 1
      if hashes[symbol] == hash { found.append(symbol) }
      link = next[symbol]
    }
    return found
  }
}
