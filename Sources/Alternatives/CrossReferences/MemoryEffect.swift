/// What an instruction does to the memory that it names.
enum MemoryEffect: Hashable, Sendable {
  case read
  /// It makes the address, for other code to use (`lea`).
  case address
  /// Replaces all bytes of its operand, with something that the code does not show.
  case write
  /// May set or clear the bits of this mask alone.
  case changes(UInt64)
  /// Sets, clears or inverts a bit whose number is in a register, counted from the operand on.
  case anyBit

  /// Reads it off the opcode, for which a decoder has no general answer (Intel SDM vol. 2D,
  /// opcode map).
  ///
  /// - Parameter code: the whole instruction.
  init(_ code: UnsafeRawBufferPointer, immediate: Int64?) {
    var position = 0
    while position < code.count, Self.isPrefix(code[position]) { position += 1 }
    func byte(_ offset: Int) -> UInt8 {
      position + offset < code.count ? code[position + offset] : 0
    }
    let opcode = byte(0)
    let value = UInt64(bitPattern: immediate ?? 0)
    guard opcode != 0x0f else {
      self = Self(extended: byte(1), group: byte(2) >> 3 & 7, value)
      return
    }
    let group = byte(1) >> 3 & 7
    switch opcode {
    // ADD, OR, ADC, SBB, AND, SUB, XOR with a register; CMP (38, 39) only reads.
    case 0x00...0x31 where opcode & 7 < 2: self = .write
    case 0x80, 0x81, 0x83:
      self =
        switch group {
        case 1, 6: .changes(value)
        case 4: .changes(~value)
        case 7: .read
        default: .write
        }
    case 0x86...0x89, 0xc6, 0xc7, 0x8f: self = .write
    case 0xd0...0xd3, 0xc0, 0xc1: self = .write
    case 0x8d: self = .address
    case 0xf6, 0xf7: self = group == 2 || group == 3 ? .write : .read
    case 0xfe, 0xff: self = group < 2 ? .write : .read
    default: self = .read
    }
  }

  /// Opcodes behind 0F.
  private init(extended opcode: UInt8, group: UInt8, _ value: UInt64) {
    switch opcode {
    case 0xab, 0xb3, 0xbb: self = .anyBit
    case 0xba: self = group >= 5 ? .changes(1 << (value & 63)) : .read
    // SETcc, CMPXCHG, XADD, CMPXCHG8B, MOVNTI
    case 0x90...0x9f, 0xb0, 0xb1, 0xc0, 0xc1, 0xc3, 0xc7: self = .write
    // Stores of vector registers.
    case 0x11, 0x13, 0x17, 0x29, 0x2b, 0x7e, 0x7f, 0xd6, 0xe7: self = .write
    default: self = .read
    }
  }

  private static func isPrefix(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x26, 0x2e, 0x36, 0x3e, 0x64...0x67, 0xf0, 0xf2, 0xf3, 0x40...0x4f: true
    default: false
    }
  }
}
