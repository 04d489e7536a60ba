internal import Alternatives
internal import CUnicorn
internal import Mitigation

/// What the hooks of one machine see and record. Only the machine's thread touches it.
final class MachineState {
  /// Why a hook stopped the engine.
  enum Stop {
    /// Go on at this address.
    case resume(UInt64)
    /// An MSR access raised #GP at the hook point with this index.
    case generalProtection(hook: Int)
    /// This path cannot be determined.
    case failed(Failure)
  }

  let hooks: HookTable
  let plan: BootPlan
  let map: AddressMap
  let arena: UnsafeMutableRawPointer
  let decoder: Decoder

  // Inputs of the path.
  var cpuid = CPUIDTable()
  var msrs = MSRBank()

  // What happened.
  var stop: Stop?
  var cpuidQueries: [CPUIDQuery] = []
  var msrAccesses: [MSRRecord] = []
  var log: [[UInt8]] = []
  /// The bytes that were printed.
  var logSize = 0
  var warnings: [Failure] = []
  var staticCalls: [(key: UInt64, target: UInt64)] = []
  var skipped: Set<Int> = []
  var randomNumbers: UInt64 = 0
  /// How much of the stack belongs to a call that is to go on later, in bytes.
  var reservedStack: UInt64 = 0

  /// What the hook on blocks sees.
  let watch: UnsafeMutablePointer<BlockWatch>
  /// The basic blocks that ran on this path.
  var blocks: Int {
    get { watch.pointee.blocks }
    set { watch.pointee.blocks = newValue }
  }
  /// The basic block that runs.
  var block: UInt64 { watch.pointee.block }

  /// What this machine ever ran; `reset` leaves it alone.
  var seen: SeenBlocks
  var reads = ReadLog()
  /// A digest of the basic blocks that ran.
  var course: UInt64 {
    get { watch.pointee.course }
    set { watch.pointee.course = newValue }
  }

  // The trace of basic blocks, when one is wanted.
  var isTracing: Bool {
    get { watch.pointee.isTracing }
    set { watch.pointee.isTracing = newValue }
  }
  var trace: [BlockRun] = []

  /// What ran, when a record is wanted.
  var recorder: PathRecorder? {
    didSet { watch.pointee.isRecording = recorder != nil }
  }
  var blockLimit: Int {
    get { watch.pointee.blockLimit }
    set { watch.pointee.blockLimit = newValue }
  }

  /// More than ten times what the longest path of a real kernel takes.
  static let blockLimit = 400_000

  init(plan: BootPlan, memory: borrowing GuestMemory) throws(MachineError) {
    seen = try SeenBlocks(memory.map.image)
    decoder = try MachineError.wrapping { () throws(DecoderError) in try Decoder() }
    self.plan = plan
    hooks = HookTable(plan)
    map = memory.map
    arena = memory.arena
    watch = .allocate(capacity: 1)
    watch.initialize(to: BlockWatch(self))
  }

  deinit { watch.deallocate() }

  func reset() {
    stop = nil
    blocks = 0
    reservedStack = 0
    cpuidQueries.removeAll(keepingCapacity: true)
    msrAccesses.removeAll(keepingCapacity: true)
    log.removeAll(keepingCapacity: true)
    logSize = 0
    warnings.removeAll(keepingCapacity: true)
    staticCalls.removeAll(keepingCapacity: true)
    skipped.removeAll(keepingCapacity: true)
    randomNumbers = 1
    course = 0
    isTracing = false
    trace.removeAll(keepingCapacity: true)
    recorder = nil
    blockLimit = Self.blockLimit
  }

  /// The digest of the blocks that ran and the lines that were printed.
  var courseWithLog: UInt64 {
    var digest = course
    for line in log {
      for byte in line { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3 }
      digest = digest &* 0x9e37_79b9_7f4a_7c15
    }
    return digest
  }

  /// Guest memory at `address`; nil if it is not all there.
  @inline(__always)
  func load<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type, at address: UInt64) -> T? {
    guard let offset = map.offset(of: address, count: MemoryLayout<T>.size) else { return nil }
    return arena.loadUnaligned(fromByteOffset: offset, as: type)
  }

  /// The bytes of a C string, without its end, up to `limit` of them; empty if it is nowhere.
  func cString(at address: UInt64, limit: Int = 1024) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < limit,
      let byte = load(UInt8.self, at: address &+ UInt64(bytes.count)), byte != 0
    {
      bytes.append(byte)
    }
    return bytes
  }
}

/// One basic block that ran.
struct BlockRun: Hashable, Sendable {
  var address: UInt64
  var size: UInt32
}

/// A CPUID instruction with its inputs and results.
struct CPUIDQuery: Hashable, Sendable {
  var leaf: UInt32
  var subleaf: UInt32
  var answer: CPUIDRegisters
}

/// An MSR access; `value` is nil where it faulted.
struct MSRRecord: Hashable, Sendable {
  var isRead: Bool
  var index: UInt32
  var value: UInt64?
}

/// The model-specific registers of a path.
struct MSRBank: Sendable {
  private(set) var values: [UInt32: UInt64] = [:]
  var missing: MSRDefault = .fault
  /// Bits of SPEC_CTRL that the processor does not have.
  private var reservedControl: UInt64 = 0

  /// BHI_DIS_S (Intel SDM vol. 4, table 2-2): there if BHI_CTRL is.
  private static let disableBHI: UInt64 = 1 << 10

  init() {}

  init(
    architectural: [Substitutions.ArchitecturalMSR], processor: Processor
  ) {
    for msr in architectural where msr.exists(on: processor.cpuid) {
      values[msr.index.value] = msr.value.value
    }
    for (index, value) in processor.msrs { values[index] = value }
    missing = processor.msrDefault
    reservedControl = processor.showsBHIControl ? 0 : Self.disableBHI
  }

  /// The value of a register; nil: reading it faults.
  func read(_ index: UInt32) -> UInt64? {
    if let value = values[index] { return value }
    if case .value(let value) = missing { return value }
    return nil
  }

  /// Whether a value sets a bit that the processor does not show to be there.
  ///
  /// On bare metal that write faults; a hypervisor may let it through, and have the bit or not.
  func isBeyond(_ index: UInt32, _ value: UInt64) -> Bool {
    index == MSRIndex.specCtrl && value & reservedControl != 0
  }

  /// Writes a register; false: that faults.
  mutating func write(_ index: UInt32, _ value: UInt64) -> Bool {
    if values[index] == nil, case .fault = missing { return false }
    values[index] = value
    return true
  }
}

/// What made a path undetermined, kept as addresses until it is printed.
enum Failure: Hashable, Sendable {
  case missing(String)
  case unmapped(access: String, address: UInt64, at: UInt64)
  case invalidInstruction(at: UInt64)
  case exception(number: UInt32, at: UInt64)
  case warning(at: UInt64, file: UInt64, line: Int)
  case bug(at: UInt64, file: UInt64, line: Int)
  case panic(message: [UInt8])
  case blockLimit(Int, at: UInt64)
  case engine(String, at: UInt64)
  case astray(function: String, at: UInt64)
  case unhandledFault(at: UInt64)
  /// An instruction that reads the emulator's own state.
  case native(NativeAccess, at: UInt64)
  case port(UInt16, at: UInt64)
  /// SPEC_CTRL was written with a bit that the processor does not show to be there.
  case control(UInt64, at: UInt64)
}
