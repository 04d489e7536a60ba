/// Finds symbols by the hash of their names: open addressing, several symbols of one name allowed.
struct NameIndex: Sendable {
  private let hashes: [UInt32]
  /// Symbol numbers plus one; 0 marks a free slot. At most half of the slots are taken.
  private let slots: [UInt32]

  init(_ hashes: [UInt32]) {
    self.hashes = hashes
    var capacity = 16
    while capacity < hashes.count * 2 { capacity *= 2 }
    var slots = [UInt32](repeating: 0, count: capacity)
    let mask = capacity - 1
    for (symbol, hash) in hashes.enumerated() {
      var slot = Int(hash) & mask
      while slots[slot] != 0 { slot = (slot + 1) & mask }
      slots[slot] = UInt32(truncatingIfNeeded: symbol + 1)
    }
    self.slots = slots
  }

  /// The symbols whose names have this hash, in the table's order.
  func candidates(_ hash: UInt32) -> [Int] {
    let mask = slots.count - 1
    var slot = Int(hash) & mask
    var found: [Int] = []
    while slots[slot] != 0 {
      let symbol = Int(slots[slot]) - 1
      if hashes[symbol] == hash { found.append(symbol) }
      slot = (slot + 1) & mask
    }
    return found
  }
}
