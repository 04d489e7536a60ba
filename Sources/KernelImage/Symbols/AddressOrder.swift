/// The symbols of a table in ascending order of address; equal addresses in the table's order.
struct AddressOrder: Sendable {
  /// Symbol numbers in order; nil if the table itself is in order (kallsyms is).
  private let order: [UInt32]?
  private let addresses: [UInt64]

  init(_ addresses: [UInt64]) {
    self.addresses = addresses
    order = Self.isAscending(addresses) ? nil : Self.sorted(addresses)
  }

  var count: Int { addresses.count }

  /// The symbol at a position of the order.
  func symbol(_ position: Int) -> Int { order.map { Int($0[position]) } ?? position }

  func address(_ position: Int) -> UInt64 { addresses[symbol(position)] }

  /// The first position whose address is greater than `address`; `count` if there is none.
  func position(after address: UInt64) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = low + (high - low) / 2
      if self.address(middle) > address { high = middle } else { low = middle + 1 }
    }
    return low
  }

  static func isAscending(_ addresses: [UInt64]) -> Bool {
    addresses.withUnsafeBufferPointer { addresses in
      var previous: UInt64 = 0
      for address in addresses {
        if address < previous { return false }
        previous = address
      }
      return true
    }
  }

  /// Least significant digit first, 11 bits a pass: hundreds of thousands of addresses that share
  /// most of their upper bits sort in a few passes.
  private static func sorted(_ addresses: [UInt64]) -> [UInt32] {
    let digits = 1 << 11
    var order = (0..<addresses.count).map { UInt32(truncatingIfNeeded: $0) }
    var next = order
    var shift: UInt64 = 0
    while shift < 64 {
      var starts = [Int](repeating: 0, count: digits + 1)
      for address in addresses {
        starts[Int(truncatingIfNeeded: address >> shift) & (digits - 1) + 1] += 1
      }
      let isUniform = starts.contains(addresses.count)
      if !isUniform {
        for digit in 0..<digits { starts[digit + 1] += starts[digit] }
        for symbol in order {
          let digit = Int(truncatingIfNeeded: addresses[Int(symbol)] >> shift) & (digits - 1)
          next[starts[digit]] = symbol
          starts[digit] += 1
        }
        swap(&order, &next)
      }
      shift += 11
    }
    return order
  }
}
