internal import CUnicorn
internal import Mitigation

/// Finds bits that a boot reads and lets go at once, without running the boot for each of them.
///
/// Where a register is read, the machine goes on for a short while with each of its bits flipped.
/// If registers, memory and everything recorded are then what they are without the flip, the rest
/// of the boot is the same as well: a machine's future depends on its state alone. (The flipped
/// answer is given again wherever the register is read later; each such place is looked at, too.)
///
/// One thread creates, runs and frees it.
public struct BitProbe: ~Copyable {
  private let program: BootProgram
  private let machine: Machine

  /// How many basic blocks behind a read the states are compared, nearest first.
  private static let distances = [48, 768]

  public init(_ program: BootProgram) throws(MachineError) {
    machine = try Machine(program.image, logsWrites: true)
    self.program = program
  }

  /// A place in the boot from which bits are flipped.
  private struct Fork {
    /// The boot is held when this block has run.
    var block: Int
    /// The last block in which one of the registers is read.
    var last: Int
    var registers: Set<HypervisorRegister>
  }

  /// The bits of `registers`, as masks, whose flip certainly changes nothing on this path: neither
  /// its outcome, nor what runs, nor what is read. Bits that are not named may still do nothing.
  ///
  /// - Throws: if the path cannot be begun.
  public func idleBits(
    _ request: BootRequest, of registers: [HypervisorRegister]
  ) throws(MachineError) -> [HypervisorRegister: UInt64] {
    let line = Array(request.commandLine.utf8)
    let state = machine.state
    try machine.prepare(request.processor, commandLine: line)
    state.reads.begin(keepingPlaces: true)
    for call in program.plan.chain where machine.call(call) != nil { return [:] }
    state.reads.end()
    let course = state.courseWithLog
    let forks = Self.forks(state.reads, registers)

    var idle: [HypervisorRegister: UInt64] = [:]
    for fork in forks {
      for register in fork.registers {
        idle[register] = register.width == 64 ? .max : 1 << UInt64(register.width) - 1
      }
    }
    try machine.prepare(request.processor, commandLine: line)
    guard run(forks, &idle), state.courseWithLog == course else { return [:] }
    return idle
  }

  /// Where the boot is to be held. A block with a hook point cannot be told from its part behind
  /// the hook when the engine stops, so none of those ends a run.
  private static func forks(
    _ reads: ReadLog, _ registers: [HypervisorRegister]
  ) -> [Fork] {
    let wanted = Set(registers)
    var forks: [Fork] = []
    for place in reads.places {
      let read = Set(place.registers).intersection(wanted)
      guard !read.isEmpty else { continue }
      var block = place.block - 1
      while block > 0, reads.hookedBlocks.contains(block) { block -= 1 }
      if let index = forks.indices.last, forks[index].block == block {
        forks[index].last = place.block
        forks[index].registers.formUnion(read)
      } else {
        forks.append(Fork(block: block, last: place.block, registers: read))
      }
    }
    return forks
  }

  /// Runs the boot from fork to fork; false if it did not get to its end.
  private func run(_ forks: [Fork], _ idle: inout [HypervisorRegister: UInt64]) -> Bool {
    let state = machine.state
    var next = 0
    func skipMissed() {
      while next < forks.count, forks[next].block <= state.blocks {
        for register in forks[next].registers { idle[register] = 0 }
        next += 1
      }
    }
    for call in program.plan.chain {
      guard machine.enter(call) == nil else { return false }
      var place = call.address
      let end = call.until ?? machine.memory.map.stop.guest
      advance: while true {
        skipMissed()
        state.holdAfter = next < forks.count ? forks[next].block : .max
        switch machine.advance(from: place, until: end, name: call.name) {
        case .done: break advance
        case .failed: return false
        case .held(let here):
          place = here
          guard next < forks.count, state.blocks == forks[next].block else { continue }
          explore(forks[next], at: here, until: end, &idle)
          next += 1
        }
      }
    }
    state.holdAfter = .max
    for fork in forks[next...] {
      for register in fork.registers { idle[register] = 0 }
    }
    return true
  }

  private func explore(
    _ fork: Fork, at place: UInt64, until end: UInt64,
    _ idle: inout [HypervisorRegister: UInt64]
  ) {
    let state = machine.state
    guard let context = try? EngineContext(machine.engine) else {
      for register in fork.registers { idle[register] = 0 }
      return
    }
    let moment = StateMoment(state)
    state.writes.begin()
    defer { state.writes.isOn = false }
    func goBack() {
      state.writes.undo(in: machine.memory.arena) { restored in
        machine.forgetCode(at: restored)
      }
      // It worked when the context was made for this engine.
      try? context.restore(machine.engine)
      moment.restore(state)
    }
    var expected: [MachineMoment] = []
    var here = place
    for distance in Self.distances {
      guard let moment = window(from: here, until: end, blocks: fork.last + distance) else { break }
      expected.append(moment)
      guard moment.isHeld else { break }
      here = moment.place
    }
    goBack()
    for register in fork.registers {
      for bit in 0..<register.width where (idle[register] ?? 0) >> UInt64(bit) & 1 != 0 {
        state.flip(bit, of: register)
        if !agrees(with: expected, fork, from: place, until: end) {
          idle[register, default: 0] &= ~(1 << UInt64(bit))
        }
        goBack()
        state.writes.begin()
      }
    }
  }

  /// Whether a run from `place` comes to one of the states that are expected.
  private func agrees(
    with expected: [MachineMoment], _ fork: Fork, from place: UInt64, until end: UInt64
  ) -> Bool {
    var here = place
    for (moment, distance) in zip(expected, Self.distances) {
      guard run(from: here, until: end, blocks: fork.last + distance) else { return false }
      if moment.isNow(machine) { return true }
      guard machine.state.isHeld else { return false }
      here = machine.engine.read(UC_X86_REG_RIP)
    }
    return false
  }

  private func window(from place: UInt64, until end: UInt64, blocks: Int) -> MachineMoment? {
    run(from: place, until: end, blocks: blocks) ? MachineMoment(machine) : nil
  }

  /// Goes on until the block with this number has run, or the call has ended; false if something
  /// happened that only a whole run can deal with.
  private func run(from place: UInt64, until end: UInt64, blocks: Int) -> Bool {
    let state = machine.state
    state.holdAfter = blocks
    var next = place
    while true {
      state.stop = nil
      let error = machine.engine.run(from: next, until: end)
      switch state.stop {
      case .resume(let address): next = address
      case .held: return !state.writes.isBroken
      case .generalProtection, .failed: return false
      case nil:
        return error == UC_ERR_OK && machine.engine.read(UC_X86_REG_RIP) == end
          && !state.writes.isBroken
      }
    }
  }
}
