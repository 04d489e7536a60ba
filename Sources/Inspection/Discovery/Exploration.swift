import BootMachine
import Mitigation

/// A boot path to start from, with what came of it.
struct BasePath: Sendable {
  var row: Matrix.Row
  /// The command line with what the image adds to it.
  var commandLine: String
  var result: BootResult
  /// What is to be flipped on it, one bit after the other.
  var registers: [ReadRegister]
  /// What is to be flipped in groups of bits at first.
  var grouped: [ReadRegister]

  var showsBHIControl: Bool { row.processor.showsBHIControl }

  /// A boot with something flipped: it may take another way, but not one that has no end.
  func request(_ processor: Processor) -> BootRequest {
    BootRequest(
      processor: processor, commandLine: commandLine, wantsReads: true,
      blockLimit: 100_000 + 8 * result.blocks)
  }
}

/// One bit flipped on one path, and what that did.
struct Observation: Sendable, Hashable {
  var bit: HypervisorBit
  /// What the bit became.
  var isSet: Bool
  /// The hypervisor in whose leaves the bit is; nil for an MSR.
  var speaker: String?
  /// The bits that were changed before this one.
  var route: [HypervisorBit]
  /// The id of the path that it started from.
  var path: String
  /// Whether the guest sees BHI_CTRL on it.
  var showsBHIControl: Bool
  var effect: Effect
  /// The instructions that read the bit.
  var addresses: [UInt64]
  /// What was chosen with and without the flip; nil where it is the same.
  var before: [EntryPoint: EntryPointOutcome]?
  var after: [EntryPoint: EntryPointOutcome]?

  /// What the bit says where it decides: the sequence that follows from setting it.
  var meaning: ListenedBit.Meaning? {
    guard let selected = effect.selected, selected == .short || selected == .long else {
      return nil
    }
    return (selected == .short) == isSet ? .shortAdequate : .longRequired
  }
}

/// Flips bits on one path, and follows what is newly read.
struct Exploration {
  /// Where the search ends.
  struct Limits: Sendable {
    /// How many bits may have to be changed before one counts: an enumeration bit can open a
    /// register whose bit opens another one.
    var depth = 3
    /// How many registers are flipped from one path; kernels read dozens.
    var registers = 256
  }

  let base: BasePath
  /// What is flipped bit by bit.
  let scope: Discovery.Scope
  let limits: Limits
  private(set) var observations: [Observation] = []
  /// Registers that were flipped already, or will be.
  private var known: Set<HypervisorRegister> = []
  /// Registers of which bits were flipped, and those that were met beyond the limits.
  private(set) var searched: Set<HypervisorRegister> = []
  private(set) var leftOut: Set<HypervisorRegister> = []

  init(_ base: BasePath, scope: Discovery.Scope, limits: Limits) {
    self.base = base
    self.scope = scope
    self.limits = limits
  }

  /// Flips every bit of every register of the path.
  mutating func run(_ worker: inout PathWorker) {
    known = Set(ReadRegister.all(in: base.result.reads, of: base.row.processor).map(\.register))
    flip(
      atMost(base.registers), of: base.row.processor, from: base.result, route: [], &worker)
    let responding = responding(
      atMost(base.grouped), base.row.processor, base.result, &worker)
    flip(responding, of: base.row.processor, from: base.result, route: [], &worker)
  }

  private mutating func atMost(_ registers: [ReadRegister]) -> [ReadRegister] {
    leftOut.formUnion(registers.dropFirst(limits.registers).map(\.register))
    return Array(registers.prefix(limits.registers))
  }

  /// Those of `registers` of which some group of bits changes the choice, or what is read.
  private mutating func responding(
    _ registers: [ReadRegister], _ processor: Processor, _ result: BootResult,
    _ worker: inout PathWorker
  ) -> [ReadRegister] {
    searched.formUnion(registers.map(\.register))
    var found: [ReadRegister] = []
    for read in registers where responds(read, processor, result, &worker) { found.append(read) }
    return found
  }

  private func responds(
    _ read: ReadRegister, _ processor: Processor, _ result: BootResult,
    _ worker: inout PathWorker
  ) -> Bool {
    let (processor, parent) = existing(read, processor, result, &worker)
    return BitGroups.masks(width: read.register.width).contains { mask in
      let changed = processor.changing(read.register, to: (read.value ?? 0) ^ mask)
      let result = worker.run(base.request(changed))
      switch Effect(from: parent, to: result) {
      case .nothing, .courseOnly: break
      default: return true
      }
      return ReadRegister.all(in: result.reads, of: changed).contains {
        !known.contains($0.register)
      }
    }
  }

  /// A processor that has the register, and its boot.
  ///
  /// That a register exists at all is not what one of its bits says.
  private func existing(
    _ read: ReadRegister, _ processor: Processor, _ result: BootResult, _ worker: inout PathWorker
  ) -> (Processor, BootResult) {
    guard case .msr(let index) = read.register, read.value == nil else {
      return (processor, result)
    }
    var processor = processor
    processor.msrs[index] = 0
    return (processor, worker.run(base.request(processor)))
  }

  /// Sets the bits that are clear in the leaves of hypervisors and in `bit`'s own register, where
  /// `bit` is set: which of them outweighs it?
  mutating func contradict(_ found: Observation, _ worker: inout PathWorker) {
    var processor = base.row.processor
    for bit in found.route + [found.bit] { processor = processor.setting(bit) }
    let result = worker.run(base.request(processor))
    let registers = ReadRegister.all(in: result.reads, of: processor).filter { read in
      switch read.register {
      case .cpuid(let leaf, _): HypervisorRegister.base(of: leaf) != leaf
      case .msr: read.register == found.bit.register
      }
    }
    let route = found.route + [found.bit]
    known = Set(registers.map(\.register))
    flip(registers, of: processor, from: result, route: route, onlySetting: true, &worker)
  }

  private mutating func flip(
    _ registers: [ReadRegister], of processor: Processor, from parent: BootResult,
    route: [HypervisorBit], onlySetting: Bool = false, _ worker: inout PathWorker
  ) {
    searched.formUnion(registers.map(\.register))
    for read in registers {
      let (processor, parent) = existing(read, processor, parent, &worker)
      for number in 0..<read.register.width {
        let wasSet = (read.value ?? 0) >> UInt64(number) & 1 != 0
        if onlySetting, wasSet { continue }
        let bit = HypervisorBit(register: read.register, bit: number)
        let flipped = processor.changing(bit, of: read.value, to: !wasSet)
        let result = worker.run(base.request(flipped))
        note(bit, isSet: !wasSet, read, of: processor, route, from: parent, to: result)
        guard result.isDetermined, !onlySetting else { continue }
        let opened = opened(
          ReadRegister.all(in: result.reads, of: flipped), canFollow: route.count + 1 < limits.depth
        )
        guard !opened.isEmpty else { continue }
        let single = opened.filter { scope.includes($0.register, of: flipped) }
        let grouped = opened.filter { !scope.includes($0.register, of: flipped) }
        let responding = responding(grouped, flipped, result, &worker)
        flip(
          single + responding, of: flipped, from: result, route: route + [bit], &worker)
      }
    }
  }

  /// Those of `registers` that are new, as many as may still be searched.
  private mutating func opened(_ registers: [ReadRegister], canFollow: Bool) -> [ReadRegister] {
    registers.filter { read in
      guard !known.contains(read.register) else { return false }
      guard canFollow, known.count < limits.registers else {
        leftOut.insert(read.register)
        return false
      }
      return known.insert(read.register).inserted
    }
  }

  private mutating func note(
    _ bit: HypervisorBit, isSet: Bool, _ read: ReadRegister, of processor: Processor,
    _ route: [HypervisorBit], from parent: BootResult, to result: BootResult
  ) {
    let effect = Effect(from: parent, to: result)
    guard effect != .nothing else { return }
    let changed = parent.entryPoints != result.entryPoints
    observations.append(
      Observation(
        bit: bit, isSet: isSet, speaker: processor.speaker(of: read.register), route: route,
        path: base.row.path.id, showsBHIControl: processor.showsBHIControl, effect: effect,
        addresses: read.addresses, before: changed ? parent.entryPoints : nil,
        after: changed ? result.entryPoints : nil))
  }
}
