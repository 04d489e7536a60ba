/// Where a loop takes its count from.
public enum CountSource: Sendable, Hashable {
  /// A constant in the code.
  case immediate(Int64)
  /// A constant that the alternatives entry at this address may exchange; the value is the one
  /// that stands there before.
  case alternative(entry: UInt64, original: Int64)
  case variable(CountVariable)
  /// A register that holds it when the function is called.
  case caller(Register)
}

/// Memory that holds a count, and that boot code may write.
public struct CountVariable: Sendable, Hashable {
  public var address: UInt64
  /// In bytes.
  public var size: Int
  /// The bytes in the file; nil if the file holds none (they are zero then, or unknown).
  public var initial: [UInt8]?
  /// The symbol there; nil if none is known.
  public var symbol: String?

  /// The bytes as a number; nil if there are none.
  public var initialValue: UInt64? {
    initial.map { $0.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
  }
}

/// Follows registers back along the straight way into the loops.
struct CountTracer {
  /// What runs before the first backward branch, in order.
  var run: [Instruction]
  /// The alternatives entries inside the function.
  var entries: [AlternativeEntry]
  /// Describes memory as a variable.
  var variable: (Instruction.Memory) -> CountVariable?

  /// Where `register` has its value from, in front of the instruction `end` of the run; nil if it is
  /// made in a way that this does not know.
  func source(of register: Register, before end: Int) -> CountSource? {
    for index in stride(from: end - 1, through: 0, by: -1) {
      let instruction = run[index]
      guard writes(instruction, register) else { continue }
      switch (instruction.operation, instruction.source) {
      case (.move, .immediate(let value)):
        if let entry = entries.first(where: { $0.siteRange.contains(instruction.address) }) {
          return .alternative(entry: entry.address, original: value)
        }
        return .immediate(value)
      case (.move, .register(let other)), (.extendingMove, .register(let other)):
        return source(of: other, before: index)
      case (.move, .memory(let memory)), (.extendingMove, .memory(let memory)):
        return variable(memory).map { .variable($0) }
      case (.exclusiveOr, .register(let other)) where instruction.destinationRegister == other:
        // Cleared, and then perhaps partly loaded; a count of zero is none.
        return .immediate(0)
      default: return nil
      }
    }
    return .caller(register)
  }

  private func writes(_ instruction: Instruction, _ register: Register) -> Bool {
    guard let destination = instruction.destinationRegister, destination.overlaps(register)
    else { return false }
    return switch instruction.operation {
    case .push: false
    case .other: instruction.kind == .other && instruction.source != nil
    default: true
    }
  }
}
