internal import CUnicorn

/// What a machine holds at one moment, as far as its future depends on it, compared with an
/// earlier moment from which on writes were logged.
struct MachineMoment {
  let isHeld: Bool
  let place: UInt64
  private let registers: [UInt64]
  private let words: [Int: UInt64]
  private let recorded: StateMoment

  init(_ machine: borrowing Machine) {
    isHeld = machine.state.isHeld
    place = machine.engine.read(UC_X86_REG_RIP)
    registers = Self.registers(machine)
    words = machine.state.writes.words(
      in: machine.memory.arena, without: Self.deadStack(machine))
    recorded = StateMoment(machine.state)
  }

  /// Whether `machine` now holds the same.
  func isNow(_ machine: borrowing Machine) -> Bool {
    machine.state.isHeld == isHeld && machine.engine.read(UC_X86_REG_RIP) == place
      && recorded.agrees(with: machine.state) && Self.registers(machine) == registers
      && machine.state.writes.agrees(
        with: words, in: machine.memory.arena, without: Self.deadStack(machine))
  }

  /// Boot code uses no vector registers, and what it writes to control registers it keeps in
  /// memory as well.
  private static let others: [uc_x86_reg] = [
    UC_X86_REG_RSP, UC_X86_REG_RFLAGS, UC_X86_REG_GS_BASE, UC_X86_REG_FS_BASE, UC_X86_REG_CR0,
    UC_X86_REG_CR3, UC_X86_REG_CR4,
  ]

  private static func registers(_ machine: borrowing Machine) -> [UInt64] {
    var values: [UInt64] = []
    values.reserveCapacity(generalRegisters.count + others.count)
    for register in generalRegisters { values.append(machine.engine.read(register)) }
    for register in others { values.append(machine.engine.read(register)) }
    return values
  }

  /// The stack below its pointer: a kernel has no red zone, so nobody reads it before writing it.
  private static func deadStack(_ machine: borrowing Machine) -> Range<Int> {
    let area = machine.memory.map.stack
    let pointer = machine.engine.read(UC_X86_REG_RSP)
    guard area.guestRange.contains(pointer) else { return 0..<0 }
    return area.offset..<area.offset + Int(pointer - area.guest)
  }
}

/// What the hooks of a machine hold at one moment: the other half of its state.
struct StateMoment {
  private let cpuid: CPUIDTable
  private let msrs: MSRBank
  private let blocks: Int
  private let course: UInt64
  private let queries: Int
  private let accesses: [MSRRecord]
  private let log: [[UInt8]]
  private let warnings: Int
  private let staticCalls: Int
  private let skipped: Set<Int>
  private let randomNumbers: UInt64

  init(_ state: MachineState) {
    cpuid = state.cpuid
    msrs = state.msrs
    blocks = state.blocks
    course = state.course
    queries = state.cpuidQueries.count
    accesses = state.msrAccesses
    log = state.log
    warnings = state.warnings.count
    staticCalls = state.staticCalls.count
    skipped = state.skipped
    randomNumbers = state.randomNumbers
  }

  func restore(_ state: MachineState) {
    state.cpuid = cpuid
    state.msrs = msrs
    state.blocks = blocks
    state.course = course
    state.cpuidQueries.removeSubrange(queries...)
    state.msrAccesses = accesses
    state.log = log
    state.warnings.removeSubrange(warnings...)
    state.staticCalls.removeSubrange(staticCalls...)
    state.skipped = skipped
    state.randomNumbers = randomNumbers
    state.stop = nil
  }

  /// Whether the same happened, whatever was answered to reads.
  func agrees(with state: MachineState) -> Bool {
    blocks == state.blocks && course == state.course && queries == state.cpuidQueries.count
      && warnings == state.warnings.count && staticCalls == state.staticCalls.count
      && randomNumbers == state.randomNumbers && skipped == state.skipped && log == state.log
      && accesses.count == state.msrAccesses.count
      && zip(accesses, state.msrAccesses).allSatisfy { mine, theirs in
        mine.isRead ? theirs.isRead && mine.index == theirs.index : mine == theirs
      }
  }
}

extension MachineState {
  /// Makes the answers to come differ in one bit. A register that does not exist stays so.
  func flip(_ bit: Int, of register: HypervisorRegister) {
    switch register {
    case .cpuid(let leaf, let name):
      var registers = cpuid.answer(leaf: leaf, subleaf: 0)
      registers[name] ^= 1 << UInt32(bit)
      cpuid.set(leaf: leaf, registers: registers)
    case .msr(let index):
      if let value = msrs.read(index) { _ = msrs.write(index, value ^ 1 << UInt64(bit)) }
    }
  }
}
