/// The two nested loops of a sequence.
///
/// The outer one calls, the inner one only jumps; both end in a conditional branch backward.
public struct LoopStructure: Sendable, Hashable {
  /// A conditional branch backward, with what surrounds it.
  public struct Loop: Sendable, Hashable {
    /// The address of the conditional branch.
    public var jump: UInt64
    /// Where it goes when taken.
    public var head: UInt64
    /// Where the basic block begins that the branch ends.
    public var block: UInt64
    /// The register it counts down; nil if the instruction before does not show it.
    public var counter: Register?
  }

  public var outer: Loop
  public var inner: Loop

  /// The address of the outer loop's conditional branch.
  public var outerJump: UInt64 { outer.jump }
  /// The address of the inner loop's conditional branch.
  public var innerJump: UInt64 { inner.jump }

  /// Finds the innermost two of the loops in `code`; nil if no two are nested.
  init?(_ code: FunctionCode) {
    let instructions = code.instructions
    let targets = Set(instructions.compactMap(\.target))
    var loops: [Loop] = []
    for (index, instruction) in instructions.enumerated() {
      guard case .conditional(let head?) = instruction.kind, head <= instruction.address,
        head >= code.entry
      else { continue }
      let previous = index > 0 ? instructions[index - 1] : nil
      loops.append(
        Loop(
          jump: instruction.address, head: head,
          block: Self.block(of: index, in: instructions, targets),
          counter: previous.flatMap { Self.counter(of: $0, before: instruction) }))
    }
    loops.sort { $0.jump - $0.head < $1.jump - $1.head }
    for (index, inner) in loops.enumerated() {
      let outer = loops[(index + 1)...].first {
        $0.head <= inner.head && inner.jump < $0.jump
      }
      if let outer {
        self.outer = outer
        self.inner = inner
        return
      }
    }
    return nil
  }

  private static func block(
    of index: Int, in instructions: [Instruction], _ targets: Set<UInt64>
  ) -> UInt64 {
    var first = index
    while first > 0, !targets.contains(instructions[first].address),
      instructions[first - 1].end == instructions[first].address, !instructions[first - 1].isBranch
    {
      first -= 1
    }
    return instructions[first].address
  }

  private static func counter(of instruction: Instruction, before jump: Instruction) -> Register? {
    guard instruction.end == jump.address else { return nil }
    switch instruction.operation {
    case .decrement: return instruction.destinationRegister
    case .subtract where instruction.immediate == 1: return instruction.destinationRegister
    case .add where isMinusOne(instruction): return instruction.destinationRegister
    default: return nil
    }
  }

  /// Whether the immediate is -1 in the width of the destination, to which it may not be extended.
  private static func isMinusOne(_ instruction: Instruction) -> Bool {
    guard let immediate = instruction.immediate else { return false }
    return switch instruction.destinationRegister?.part {
    case .low8, .high8: Int8(truncatingIfNeeded: immediate) == -1
    case .word: Int16(truncatingIfNeeded: immediate) == -1
    case .dword: Int32(truncatingIfNeeded: immediate) == -1
    default: immediate == -1
    }
  }

  /// The counts of both loops, from how often instructions ran in one run of the sequence.
  ///
  /// `executed` may count single instructions by address, or basic blocks by where they begin.
  /// Nil if a loop did not run, or if its inner rounds do not divide evenly over the outer ones, so
  /// that the counts were not the same in each round.
  public func counts(from executed: [UInt64: Int]) -> (outer: Int, inner: Int)? {
    func times(_ loop: Loop) -> Int? { executed[loop.jump] ?? executed[loop.block] }
    guard let rounds = times(outer), let steps = times(inner), rounds > 0, steps > 0,
      steps.isMultiple(of: rounds)
    else { return nil }
    return (rounds, steps / rounds)
  }
}
