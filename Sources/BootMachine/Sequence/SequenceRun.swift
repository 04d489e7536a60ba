internal import Alternatives
internal import Mitigation

/// What one run of a sequence did, read off the basic blocks that ran.
struct SequenceRun: Sendable, Hashable {
  var branches = BranchCounts()
  var instructions = 0
  /// Whether an LFENCE ran after the last branch of the loops.
  var reachedBarrier = false
  /// How often each branch instruction ran.
  var executed: [UInt64: Int] = [:]
  /// The first address that could not be decoded.
  var undecodable: UInt64?

  /// - Parameters:
  ///   - blocks: in the order they ran, up to the return out of the sequence.
  ///   - end: where that return goes.
  ///   - site: the place that ran the sequence: its call is not one of the sequence's branches, but
  ///     a barrier behind it counts.
  ///   - code: the bytes that ran, by address and size.
  init(
    _ blocks: [BlockRun], end: UInt64, site: Range<UInt64>?, decoder: borrowing Decoder,
    code: (UInt64, Int) -> [UInt8]?
  ) {
    var known: [BlockRun: [Instruction]] = [:]
    for (index, block) in blocks.enumerated() {
      if known[block] == nil {
        guard let bytes = code(block.address, Int(block.size)) else {
          undecodable = undecodable ?? block.address
          continue
        }
        known[block] = bytes.withUnsafeBytes { decoder.decode($0, at: block.address) }
      }
      guard let decoded = known[block] else { continue }
      let next = index + 1 < blocks.count ? blocks[index + 1].address : end
      count(decoded, next: next, isSite: site?.contains(block.address) ?? false)
    }
  }

  private mutating func count(_ block: [Instruction], next: UInt64, isSite: Bool) {
    if isSite {
      if block.contains(where: { $0.kind == .fence }) { reachedBarrier = true }
      return
    }
    instructions += block.count
    for instruction in block {
      switch instruction.kind {
      case .call: branches.call += 1
      case .jump: branches.jump += 1
      case .ret: branches.ret += 1
      case .conditional:
        if next == instruction.end {
          branches.conditionalNotTaken += 1
        } else {
          branches.conditionalTaken += 1
          // More history after a barrier: it stood inside the loops.
          reachedBarrier = false
        }
      case .fence: reachedBarrier = true
      case .undecodable: undecodable = undecodable ?? instruction.address
      default: break
      }
      if instruction.isBranch { executed[instruction.address, default: 0] += 1 }
    }
  }
}
