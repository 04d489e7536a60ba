/// A general-purpose register of x86-64, or the part of one that an instruction names.
public struct Register: Sendable, Hashable {
  /// The bits of the whole register that a name covers.
  public enum Part: UInt8, Sendable, Hashable, CaseIterable {
    /// Bits 0 to 7 (`al`).
    case low8
    /// Bits 8 to 15 (`ah`).
    case high8
    /// Bits 0 to 15 (`ax`).
    case word
    /// Bits 0 to 31 (`eax`); a write clears the upper half.
    case dword
    /// All 64 bits (`rax`).
    case qword
  }

  /// The number that machine code uses: 0 is rax, 1 rcx, 2 rdx, 3 rbx, 4 rsp, 5 rbp, 6 rsi, 7 rdi.
  public var number: UInt8
  public var part: Part

  public init(number: UInt8, part: Part) {
    self.number = number
    self.part = part
  }

  /// Whether a write to one changes what the other reads.
  public func overlaps(_ other: Register) -> Bool {
    guard number == other.number else { return false }
    return switch (part, other.part) {
    case (.low8, .high8), (.high8, .low8): false
    default: true
    }
  }

  /// The name in the assembler, without `%`.
  public var name: String {
    let old = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"]
    if number < 8 {
      let base = old[Int(number)]
      return switch part {
      case .low8: number < 4 ? String(base.prefix(1)) + "l" : base + "l"
      case .high8: String(base.prefix(1)) + "h"
      case .word: base
      case .dword: "e" + base
      case .qword: "r" + base
      }
    }
    return switch part {
    case .low8, .high8: "r\(number)b"
    case .word: "r\(number)w"
    case .dword: "r\(number)d"
    case .qword: "r\(number)"
    }
  }
}
