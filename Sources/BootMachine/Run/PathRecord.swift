internal import Mitigation

/// What ran on one boot path, and what it asked the processor.
public struct PathRecord: Sendable, Hashable {
  /// A basic block as the emulator ran it.
  public struct Block: Sendable, Hashable {
    public var address: UInt64
    /// In bytes.
    public var size: Int

    public var range: Range<UInt64> { address..<address &+ UInt64(size) }
  }

  /// Each block once, in ascending order of address: those of the boot and of what shows its outcome.
  public var blocks: [Block]
  /// How many blocks ran, repetitions counted.
  public var blockCount: Int
  /// The leaves that CPUID was asked for.
  public var leaves: Set<UInt32>
  /// The MSRs that were read or written.
  public var msrs: Set<UInt32>
  /// The image's memory that blocks read and wrote; empty unless the machine watches memory.
  public var accesses: [MemoryAccess]
  /// The image's memory that the function behind the sysfs line read; empty likewise.
  public var shown: Set<UInt64>

  /// Whether anything in `range` ran.
  public func ran(_ range: Range<UInt64>) -> Bool {
    // Blocks overlap where one is entered in its middle; none is longer than this.
    let reach: UInt64 = 4096
    var low = 0
    var high = blocks.count
    let start = range.lowerBound > reach ? range.lowerBound - reach : 0
    while low < high {
      let middle = (low + high) / 2
      if blocks[middle].address < start { low = middle + 1 } else { high = middle }
    }
    while low < blocks.count, blocks[low].address < range.upperBound {
      if blocks[low].range.overlaps(range) { return true }
      low += 1
    }
    return false
  }
}

/// A word of memory that a block of boot code read or wrote.
public struct MemoryAccess: Sendable, Hashable {
  /// The block's address.
  public var block: UInt64
  /// The address of the 32-bit word.
  public var word: UInt64
  public var isWrite: Bool
}

/// Gathers a record while a path runs.
struct PathRecorder {
  enum Phase { case booting, showing, patching }

  var phase = Phase.booting
  private var blocks: Set<BlockRun> = []
  private var current: UInt64 = 0
  private var accesses: Set<MemoryAccess> = []
  private var shown: Set<UInt64> = []

  mutating func ran(_ address: UInt64, _ size: UInt32) {
    current = address
    blocks.insert(BlockRun(address: address, size: size))
  }

  mutating func accessed(_ address: UInt64, _ size: Int32, isWrite: Bool) {
    let last = address &+ UInt64(max(size, 1) - 1)
    for word in stride(from: address & ~3, through: last & ~3, by: 4) {
      switch phase {
      case .booting: accesses.insert(MemoryAccess(block: current, word: word, isWrite: isWrite))
      case .showing: if !isWrite { shown.insert(word) }
      case .patching: break
      }
    }
  }

  func record(_ state: MachineState) -> PathRecord {
    PathRecord(
      blocks: blocks.map { PathRecord.Block(address: $0.address, size: Int($0.size)) }
        .sorted { ($0.address, $0.size) < ($1.address, $1.size) },
      blockCount: state.blocks, leaves: Set(state.cpuidQueries.map(\.leaf)),
      msrs: Set(state.msrAccesses.map(\.index)),
      accesses: accesses.sorted { ($0.block, $0.word) < ($1.block, $1.word) }, shown: shown)
  }
}

extension MachineState {
  var record: PathRecord? { recorder?.record(self) }
}
