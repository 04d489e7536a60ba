internal import Alternatives

extension Register {
  /// `old`, the whole register, after `value` was written to the part that this one names
  /// (Intel SDM vol. 1, 3.4.1.1: a write of 32 bits clears the upper half, smaller ones do not).
  func inserting(_ value: Int64, into old: UInt64) -> UInt64 {
    let value = UInt64(bitPattern: value)
    return switch part {
    case .low8: old & ~0xff | value & 0xff
    case .high8: old & ~0xff00 | (value & 0xff) << 8
    case .word: old & ~0xffff | value & 0xffff
    case .dword: value & 0xffff_ffff
    case .qword: value
    }
  }
}
