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
  /// Every instruction of the boot in its order; nil unless the machine watches memory.
  public var steps: BootSteps?

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

/// A boot, instruction by instruction: what led to what can be read off it.
public struct BootSteps: Sendable, Hashable {
  /// A step that directed a static call.
  public struct StaticCall: Sendable, Hashable {
    public var step: Int
    /// The address of its key.
    public var key: UInt64
  }

  /// The address of each instruction that ran, in order: of the boot, and behind it of the function
  /// that shows what was chosen.
  public var addresses: [UInt64] = []
  /// How many of them ran until the machine stopped the boot.
  public var bootCount = 0
  /// Loads and stores, in the order they happened.
  public var accesses: [MemoryAccess] = []
  /// Steps that wrote SPEC_CTRL.
  public var controlWrites: [Int] = []
  public var staticCalls: [StaticCall] = []
}

/// A load or store of one step.
public struct MemoryAccess: Sendable, Hashable {
  /// Its place in the order of instructions.
  public var step: Int
  public var address: UInt64
  /// In bytes.
  public var size: Int
  public var isWrite: Bool
  /// The bits that a store changes, counted from the address on; of more than eight bytes all are
  /// taken to change.
  public var changed: UInt64
}

/// Gathers a record while a path runs.
struct PathRecorder {
  enum Phase { case booting, showing, patching }

  var phase = Phase.booting
  private var blocks: Set<BlockRun> = []
  private var steps = BootSteps()

  mutating func ran(_ address: UInt64, _ size: UInt32) {
    blocks.insert(BlockRun(address: address, size: size))
  }

  mutating func stepped(_ address: UInt64) {
    switch phase {
    case .booting:
      steps.addresses.append(address)
      steps.bootCount += 1
    case .showing: steps.addresses.append(address)
    case .patching: break
    }
  }

  mutating func accessed(_ address: UInt64, _ size: Int32, isWrite: Bool, changed: UInt64 = 0) {
    guard phase != .patching, !steps.addresses.isEmpty else { return }
    steps.accesses.append(
      MemoryAccess(
        step: steps.addresses.count - 1, address: address, size: Int(max(size, 1)),
        isWrite: isWrite, changed: changed))
  }

  /// The last instruction wrote SPEC_CTRL.
  mutating func wroteControl() {
    if phase == .booting, !steps.addresses.isEmpty {
      steps.controlWrites.append(steps.addresses.count - 1)
    }
  }

  /// The last instruction directed a static call.
  mutating func directedCall(_ key: UInt64) {
    if phase == .booting, !steps.addresses.isEmpty {
      steps.staticCalls.append(
        BootSteps.StaticCall(step: steps.addresses.count - 1, key: key))
    }
  }

  func record(_ state: MachineState) -> PathRecord {
    PathRecord(
      blocks: blocks.map { PathRecord.Block(address: $0.address, size: Int($0.size)) }
        .sorted { ($0.address, $0.size) < ($1.address, $1.size) },
      blockCount: state.blocks, leaves: Set(state.cpuidQueries.map(\.leaf)),
      msrs: Set(state.msrAccesses.map(\.index)), steps: steps.addresses.isEmpty ? nil : steps)
  }
}

extension MachineState {
  var record: PathRecord? { recorder?.record(self) }
}
