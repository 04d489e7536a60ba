internal import KernelImage

/// The instructions of a small function that control flow can reach from its entry.
///
/// Followed rather than decoded in one go: padding between the parts of the sequence is INT3, and
/// what stands behind the function belongs to somebody else.
struct FunctionCode: Sendable {
  let entry: UInt64
  /// In ascending order of address.
  let instructions: [Instruction]
  /// Whether every byte that control flow reaches could be decoded, and no branch is indirect.
  let isComplete: Bool
  private let position: [UInt64: Int]
  private let thunks: [UInt64]

  /// The largest distance from the entry at which code still counts as the function's: several
  /// times the sequence's size of three cache lines.
  static let window = 1024

  /// - Parameters:
  ///   - bytes: The code from `entry` on, at most `window` bytes of it.
  ///   - thunks: Addresses that a jump to is a return.
  init(
    _ bytes: UnsafeRawBufferPointer, at entry: UInt64, thunks: [UInt64],
    _ decoder: borrowing Decoder
  ) {
    var found: [UInt64: Instruction] = [:]
    var complete = true
    var pending = [entry]
    let end = entry &+ UInt64(bytes.count)
    while let start = pending.popLast() {
      var address = start
      while found[address] == nil {
        guard address >= entry, address < end else {
          // Behind the window, or at the end of the segment.
          complete = false
          break
        }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[Int(address - entry)...])
        guard let instruction = decoder.one(rest, at: address) else {
          complete = false
          break
        }
        found[address] = instruction
        if case .jump(nil) = instruction.kind { complete = false }
        if case .call(nil) = instruction.kind { complete = false }
        // A branch to somewhere else is a tail call, or a call of another function.
        if let target = instruction.target, target >= entry, target < end,
          !thunks.contains(target)
        {
          pending.append(target)
        }
        guard instruction.fallsThrough else { break }
        address = instruction.end
      }
    }
    self.entry = entry
    self.thunks = thunks
    instructions = found.values.sorted { $0.address < $1.address }
    isComplete = complete
    position = Dictionary(
      uniqueKeysWithValues: instructions.enumerated().map { ($1.address, $0) })
  }

  /// The bytes from the entry to the end of the last instruction that is reached.
  var size: Int { instructions.last.map { Int($0.end - entry) } ?? 0 }

  func instruction(at address: UInt64) -> Instruction? {
    position[address].map { instructions[$0] }
  }

  /// Whether an instruction returns, or will once the kernel has patched it.
  func returns(_ instruction: Instruction) -> Bool {
    if instruction.kind == .ret { return true }
    guard case .jump(let target?) = instruction.kind else { return false }
    return thunks.contains(target)
  }

  /// The last byte of every return, once the kernel has patched them.
  var returnEnds: [(instruction: Instruction, lastByte: UInt64)] {
    instructions.filter(returns).map { instruction in
      // A patched jump becomes a RET of one byte, at the jump's first byte.
      let lastByte = instruction.kind == .ret ? instruction.end - 1 : instruction.address
      return (instruction, lastByte)
    }
  }

  /// Whether every way through the function itself passes LFENCE before it returns; calls are
  /// stepped over. Nil if the code could not be followed.
  var passesBarrier: Bool? {
    guard isComplete else { return nil }
    var seen: Set<UInt64> = []
    var pending = [entry]
    var returned = false
    while let address = pending.popLast() {
      guard seen.insert(address).inserted else { continue }
      guard let instruction = instruction(at: address) else { return nil }
      if instruction.kind == .fence {
        returned = true
        continue
      }
      if returns(instruction) { return false }
      switch instruction.kind {
      case .jump(let target?):
        // A tail call: what it does is not known here.
        guard position[target] != nil else { return nil }
        pending.append(target)
      case .conditional(let target?):
        guard position[target] != nil else { return nil }
        pending.append(target)
      default: break
      }
      if instruction.fallsThrough { pending.append(instruction.end) }
    }
    return returned ? true : nil
  }

  /// The instructions from the entry up to the first conditional branch for which `until` is true,
  /// in the order in which they run; into calls, and straight on at other conditional branches.
  func firstRun(until isEnd: (Instruction) -> Bool) -> [Instruction] {
    var run: [Instruction] = []
    var address = entry
    while run.count <= instructions.count, let instruction = instruction(at: address) {
      run.append(instruction)
      if isEnd(instruction) { return run }
      switch instruction.kind {
      case .call(let target?) where position[target] != nil: address = target
      case .jump(let target?): address = target
      default:
        guard instruction.fallsThrough else { return [] }
        address = instruction.end
      }
    }
    return []
  }
}
