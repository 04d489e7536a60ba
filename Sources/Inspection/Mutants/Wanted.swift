import Alternatives
import BootMachine

/// What is wanted at a point of a boot.
struct Wanted {
  /// The bits of memory, by the address of their byte.
  var bits: [UInt64: UInt8]
  var registers: UInt32 = 0

  /// RDX, RSI, RDI: the first three arguments of a function.
  static let arguments: UInt32 = 1 << 2 | 1 << 6 | 1 << 7
  /// Everything depends on RSP, which says nothing.
  private static let stackPointer: UInt32 = 1 << 4

  init(bits: [UInt64: UInt8]) { self.bits = bits }

  func isMade(by entry: SteppedCode.Entry, _ accesses: ArraySlice<MemoryAccess>) -> Bool {
    if entry.use.writes & registers != 0 { return true }
    return accesses.contains { access in
      access.isWrite
        && access.bytes(of: access.changed).contains { (bits[$0.address] ?? 0) & $0.bits != 0 }
    }
  }

  mutating func make(by entry: SteppedCode.Entry, _ accesses: ArraySlice<MemoryAccess>) {
    registers &= ~entry.use.replaces
    registers |= entry.use.reads & ~Self.stackPointer
    for access in accesses where access.isWrite {
      // What a store leaves as it was, but might not have, stays wanted where it was made before.
      for (address, changed) in access.bytes(of: access.changed) {
        guard let left = bits[address] else { continue }
        bits[address] = left & ~changed == 0 ? nil : left & ~changed
      }
    }
    if !entry.isBitwise { read(accesses, entry) }
  }

  /// The function that shows the choice reads memory; what it writes itself is none of the boot's.
  mutating func show(_ accesses: ArraySlice<MemoryAccess>, _ entry: SteppedCode.Entry) {
    for access in accesses where access.isWrite {
      for (address, _) in access.bytes(of: .max) { bits[address] = nil }
    }
    read(accesses, entry)
  }

  private mutating func read(_ accesses: ArraySlice<MemoryAccess>, _ entry: SteppedCode.Entry) {
    for access in accesses where !access.isWrite {
      for (address, mask) in access.bytes(of: entry.readBits ?? .max) {
        bits[address, default: 0] |= mask
      }
    }
  }
}

extension MemoryAccess {
  /// The bytes in which `mask`, counted from the address on, has a bit.
  func bytes(of mask: UInt64) -> [(address: UInt64, bits: UInt8)] {
    (0..<size).compactMap { byte in
      // Longer stores are not looked into.
      let bits = byte < 8 && size <= 8 ? UInt8(truncatingIfNeeded: mask >> UInt64(8 * byte)) : 0xFF
      return bits == 0 ? nil : (address &+ UInt64(byte), bits)
    }
  }
}
