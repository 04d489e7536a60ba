import Alternatives

/// The parts of an instruction's machine code that operators edit (Intel SDM vol. 2A, 2.1).
struct InstructionEncoding: Sendable, Hashable {
  /// Where the opcode begins, behind prefixes and 0F.
  let opcodeOffset: Int
  /// Whether the opcode is of the map behind 0F.
  let isTwoByte: Bool
  let opcode: UInt8
  /// The byte behind the opcode: ModRM, where the opcode has one.
  let modRM: UInt8?
  let rex: UInt8

  init?(_ bytes: [UInt8]) {
    var offset = 0
    while offset < bytes.count, Self.prefixes.contains(bytes[offset]) { offset += 1 }
    var rex: UInt8 = 0
    if offset < bytes.count, bytes[offset] & 0xF0 == 0x40 {
      rex = bytes[offset]
      offset += 1
    }
    var isTwoByte = false
    if offset < bytes.count, bytes[offset] == 0x0F {
      isTwoByte = true
      offset += 1
    }
    guard offset < bytes.count else { return nil }
    opcodeOffset = offset
    self.isTwoByte = isTwoByte
    opcode = bytes[offset]
    modRM = offset + 1 < bytes.count ? bytes[offset + 1] : nil
    self.rex = rex
  }

  private static let prefixes: Set<UInt8> = [
    0x66, 0x67, 0x2E, 0x36, 0x3E, 0x26, 0x64, 0x65, 0xF0, 0xF2, 0xF3,
  ]

  /// The reg field of ModRM: part of the opcode of a group.
  var group: UInt8 { (modRM ?? 0) >> 3 & 7 }

  enum Family: Sendable { case compare, test, and, or, bitTest, bitSet, move, other }

  /// What an instruction with an immediate does with it.
  var immediateFamily: Family {
    if isTwoByte {
      guard opcode == 0xBA else { return .other }
      return group == 4 ? .bitTest : group == 5 ? .bitSet : .other
    }
    switch opcode {
    case 0x80, 0x81, 0x83:
      return switch group {
      case 1: .or
      case 4: .and
      case 7: .compare
      default: .other
      }
    case 0x3C, 0x3D: return .compare
    case 0xA8, 0xA9: return .test
    case 0xF6, 0xF7: return group <= 1 ? .test : .other
    case 0x24, 0x25: return .and
    case 0x0C, 0x0D: return .or
    case 0xB0...0xBF, 0xC6, 0xC7: return .move
    default: return .other
    }
  }

  /// Whether the lowest bit of the opcode inverts a condition: Jcc, SETcc, CMOVcc.
  var isConditional: Bool {
    isTwoByte
      ? [0x40, 0x80, 0x90].contains(opcode & 0xF0)
      : opcode & 0xF0 == 0x70
  }

  /// Whether the instruction does nothing but store into memory: MOV with a memory destination,
  /// or BTS and OR of one.
  var storesOnly: Bool {
    guard let modRM, modRM >> 6 != 3 else { return false }
    if isTwoByte { return opcode == 0xAB || opcode == 0xBA && (5...7).contains(group) }
    switch opcode {
    case 0x88, 0x89, 0xC6, 0xC7, 0x08, 0x09, 0x20, 0x21: return true
    case 0x80, 0x81, 0x83: return group == 1 || group == 4
    default: return false
    }
  }
}

/// NOPs of any length, as assemblers write them (Intel SDM vol. 2B, NOP).
enum Padding {
  static func nops(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count { bytes += forms[min(count - bytes.count, forms.count) - 1] }
    return bytes
  }

  private static let forms: [[UInt8]] = [
    [0x90], [0x66, 0x90], [0x0F, 0x1F, 0x00], [0x0F, 0x1F, 0x40, 0x00],
    [0x0F, 0x1F, 0x44, 0x00, 0x00], [0x66, 0x0F, 0x1F, 0x44, 0x00, 0x00],
    [0x0F, 0x1F, 0x80, 0x00, 0x00, 0x00, 0x00], [0x0F, 0x1F, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
  ]
}
