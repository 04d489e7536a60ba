import Mitigation

/// What happens at breakpoints: CPUID and RDMSR are answered, and written down.
struct BootSession {
  private let scenario: BootScenario
  private let targets: BootTargets
  private let rdmsrPlaces: Set<UInt64>
  private let laterPlaces: Set<UInt64>
  private var answers: [Query: [UInt32]] = [:]
  private var readings: [UInt32: UInt64] = [:]
  private var breakpoints: Set<UInt64> = []

  private struct Query: Hashable {
    var leaf: UInt32
    var subleaf: UInt32
  }

  init(_ scenario: BootScenario, _ targets: BootTargets) {
    self.scenario = scenario
    self.targets = targets
    rdmsrPlaces = Set(targets.rdmsr)
    laterPlaces = Set(targets.later)
  }

  /// Boots until the kernel has chosen and patched itself.
  mutating func runToEnd(_ remote: inout GDBRemote) throws(RealBootError) {
    breakpoints = Set([targets.end] + targets.cpuid + targets.rdmsr + targets.later)
    for address in breakpoints.sorted() { try remote.setBreakpoint(address) }
    while true {
      let stop = try remote.ask("c")
      guard stop.hasPrefix("T") || stop.hasPrefix("S") else {
        throw RealBootError(.qemu, "QEMU ended before the kernel had chosen: \(stop)")
      }
      if try handle(&remote) == targets.end { return }
    }
  }

  /// Answers a stop behind the choice, and goes on.
  mutating func answer(_ stop: String, _ remote: inout GDBRemote) throws(RealBootError) {
    guard stop.hasPrefix("T") || stop.hasPrefix("S") else {
      throw RealBootError(.qemu, "QEMU ended: \(stop)")
    }
    _ = try handle(&remote)
    try remote.send("c")
  }

  /// Lets the kernel run on, watched only where a suite asks.
  mutating func goOn(_ remote: inout GDBRemote) throws(RealBootError) {
    for address in breakpoints.sorted() where !laterPlaces.contains(address) {
      try remote.clearBreakpoint(address)
    }
    // QEMU would stop at once where it stands if that is watched.
    try remote.send("c")
  }

  func memory(_ remote: inout GDBRemote) throws(RealBootError) -> [BootObservation.Memory] {
    var parts: [BootObservation.Memory] = []
    for range in targets.memory {
      parts.append(
        BootObservation.Memory(
          address: range.address,
          bytes: try remote.memory(at: range.address, count: range.count)))
    }
    return parts
  }

  var cpuid: [CPUIDAccess] {
    answers.map { query, words in
      CPUIDAccess(
        leaf: query.leaf, subleaf: query.subleaf, eax: words[0], ebx: words[1], ecx: words[2],
        edx: words[3])
    }.sorted { ($0.leaf, $0.subleaf) < ($1.leaf, $1.subleaf) }
  }

  var msrs: [MSRAccess] {
    readings.sorted { $0.key < $1.key }.map {
      MSRAccess(kind: .read, index: Hex32($0.key), value: $0.value)
    }
  }

  /// Executes the instruction that the machine stopped at, and returns its address.
  private mutating func handle(_ remote: inout GDBRemote) throws(RealBootError) -> UInt64 {
    let registers = try remote.registers()
    let place = registers[.rip]
    if place == targets.end { return place }
    guard breakpoints.contains(place) else { return place }
    try remote.step()
    let after = try remote.registers()
    // An interrupt may have come first: then the instruction is still to run.
    guard after[.rip] == place &+ 2 else { return place }
    var isRead = rdmsrPlaces.contains(place)
    if laterPlaces.contains(place) {
      isRead = try remote.memory(at: place, count: 2) == [0x0F, 0x32]
    }
    if isRead {
      try read(UInt32(truncatingIfNeeded: registers[.rcx]), after, &remote)
    } else {
      try identify(registers, after, &remote)
    }
    return place
  }

  private mutating func identify(
    _ before: GDBRemote.Registers, _ after: GDBRemote.Registers, _ remote: inout GDBRemote
  ) throws(RealBootError) {
    let leaf = UInt32(truncatingIfNeeded: before[.rax])
    let subleaf = UInt32(truncatingIfNeeded: before[.rcx])
    let order: [GDBRemote.Register] = [.rax, .rbx, .rcx, .rdx]
    let qemu = order.map { UInt32(truncatingIfNeeded: after[$0]) }
    let words = scenario.answer(leaf: leaf, subleaf: subleaf, qemu: qemu)
    for (register, (value, old)) in zip(order, zip(words, qemu)) where value != old {
      try remote.set(register, to: UInt64(value))
    }
    answers[Query(leaf: leaf, subleaf: subleaf)] = words
  }

  private mutating func read(
    _ index: UInt32, _ after: GDBRemote.Registers, _ remote: inout GDBRemote
  ) throws(RealBootError) {
    let qemu = after[.rax] & 0xFFFF_FFFF | after[.rdx] << 32
    let value = scenario.msr(index) ?? qemu
    if value != qemu {
      try remote.set(.rax, to: value & 0xFFFF_FFFF)
      try remote.set(.rdx, to: value >> 32)
    }
    // What the kernel reads first is what it decides by: it may write the register afterwards.
    if readings[index] == nil { readings[index] = value }
  }
}
