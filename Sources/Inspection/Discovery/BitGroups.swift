/// Bits of a register that are flipped together.
enum BitGroups {
  /// Groups of which, for every two bits, one holds the first and not the second: what a bit does
  /// alone shows in some group even if another bit would hide it there.
  ///
  /// That is one group for each value of each binary digit of the bits' numbers.
  static func masks(width: Int) -> [UInt64] {
    let all: UInt64 = width >= 64 ? .max : (1 << UInt64(width)) - 1
    var masks: [UInt64] = []
    var digit = 1
    while digit < width {
      var mask: UInt64 = 0
      for bit in 0..<width where bit & digit != 0 { mask |= 1 << UInt64(bit) }
      masks += [mask, all & ~mask]
      digit *= 2
    }
    return masks
  }
}
