/// What the hook on basic blocks needs of its machine, at an address that stays.
///
/// That hook runs twenty thousand times a path: a class behind it would be retained and released
/// each time, which costs more than the rest of it.
struct BlockWatch {
  /// The blocks that ran on this path.
  var blocks = 0
  /// Where the block begins that runs.
  var block: UInt64 = 0
  /// A digest of the blocks that ran.
  var course: UInt64 = 0
  /// More blocks than this do not run.
  var blockLimit = MachineState.blockLimit
  /// Whether every block is to be recorded.
  var isTracing = false
  /// Whether a recorder wants to know of every block.
  var isRecording = false
  private let seen: (start: UInt64, count: UInt64, bits: UnsafeMutableRawPointer)
  let state: Unmanaged<MachineState>

  init(_ state: MachineState) {
    seen = (state.seen.start, state.seen.count, state.seen.bits)
    self.state = Unmanaged.passUnretained(state)
  }

  /// Counts a block, and says whether the machine has to look at it: it is traced, has not run
  /// before, or is one too many.
  @inline(__always)
  mutating func needsAttention(_ address: UInt64) -> Bool {
    blocks &+= 1
    block = address
    // 2^64 divided by the golden ratio: spreads neighbouring addresses over all bits.
    course = (course ^ address) &* 0x9e37_79b9_7f4a_7c15
    return isTracing || isRecording || isUnseen(address) || blocks > blockLimit
  }

  /// Whether a block of the image has not run yet; false for code that is not the image's.
  @inline(__always)
  func isUnseen(_ address: UInt64) -> Bool {
    let offset = address &- seen.start
    guard offset < seen.count else { return false }
    return seen.bits.load(fromByteOffset: Int(offset >> 3), as: UInt8.self)
      >> UInt8(offset & 7) & 1 == 0
  }
}
