internal import CUnicorn
internal import Mitigation

/// The callbacks of the engine. Each finds its machine's state behind `user`.
extension MachineState {
  @inline(__always)
  fileprivate static func of(_ user: UnsafeMutableRawPointer?) -> MachineState? {
    user.map { Unmanaged<MachineState>.fromOpaque($0).takeUnretainedValue() }
  }

  /// Installs all hooks; before anything is translated, for later ones would not be seen.
  func install(in engine: borrowing Engine) throws(MachineError) {
    let user = Unmanaged.passUnretained(self).toOpaque()
    var hook: uc_hook = 0
    try Engine.check(bhb_hook_cpuid(engine.handle, &hook, onCPUID, user), "a hook on CPUID")
    try Engine.check(
      bhb_hook_port_read(engine.handle, &hook, onPortRead, user), "a hook on I/O ports")
    try Engine.check(bhb_hook_block(engine.handle, &hook, onBlock, watch), "a hook on blocks")
    try Engine.check(
      bhb_hook_invalid(engine.handle, &hook, onInvalid, user), "a hook on unknown instructions")
    try Engine.check(
      bhb_hook_interrupt(engine.handle, &hook, onInterrupt, user), "a hook on exceptions")
    let faults =
      UC_HOOK_MEM_READ_UNMAPPED.rawValue | UC_HOOK_MEM_WRITE_UNMAPPED.rawValue
      | UC_HOOK_MEM_FETCH_UNMAPPED.rawValue
    try Engine.check(
      bhb_hook_memory_event(engine.handle, &hook, Int32(faults), onUnmapped, user),
      "a hook on unmapped memory")
    for point in hooks.points {
      try Engine.check(
        bhb_hook_code(engine.handle, &hook, onCode, user, point.address, point.address),
        "a hook on an address")
    }
  }

  fileprivate func record(_ access: MSRRecord, at address: UInt64) {
    msrAccesses.append(access)
    reads.note(access, at: address, block: blocks)
  }

  fileprivate func halt(_ engine: OpaquePointer?, _ reason: Stop) {
    note(reason)
    uc_emu_stop(engine)
  }

  /// Keeps why the path stops. The rest of a block may still run with what the engine put in place of
  /// an answer: the first reason is the one.
  fileprivate func note(_ reason: Stop) {
    if case .failed = stop { return }
    stop = reason
  }
}

private func register(_ engine: OpaquePointer?, _ register: uc_x86_reg) -> UInt64 {
  var value: UInt64 = 0
  uc_reg_read(engine, Int32(register.rawValue), &value)
  return value
}

private func set(_ engine: OpaquePointer?, _ register: uc_x86_reg, _ value: UInt64) {
  var value = value
  uc_reg_write(engine, Int32(register.rawValue), &value)
}

private func onCPUID(_ engine: OpaquePointer?, _ user: UnsafeMutableRawPointer?) -> Int32 {
  guard let state = MachineState.of(user) else { return 0 }
  let leaf = UInt32(truncatingIfNeeded: register(engine, UC_X86_REG_RAX))
  let subleaf = UInt32(truncatingIfNeeded: register(engine, UC_X86_REG_RCX))
  let answer = state.cpuid.answer(leaf: leaf, subleaf: subleaf)
  state.cpuidQueries.append(CPUIDQuery(leaf: leaf, subleaf: subleaf, answer: answer))
  if state.reads.isOn, BootRead.hypervisorLeaves.contains(leaf) {
    state.reads.note(
      leaf: leaf, answer, at: register(engine, UC_X86_REG_RIP), block: state.blocks)
  }
  set(engine, UC_X86_REG_RAX, UInt64(answer.eax))
  set(engine, UC_X86_REG_RBX, UInt64(answer.ebx))
  set(engine, UC_X86_REG_RCX, UInt64(answer.ecx))
  set(engine, UC_X86_REG_RDX, UInt64(answer.edx))
  return 1
}

private func onBlock(
  _ engine: OpaquePointer?, _ address: UInt64, _ size: UInt32, _ user: UnsafeMutableRawPointer?
) {
  guard let watch = user?.assumingMemoryBound(to: BlockWatch.self),
    watch.pointee.needsAttention(address)
  else { return }
  let state = watch.pointee.state.takeUnretainedValue()
  let block = BlockRun(address: address, size: size)
  if watch.pointee.isUnseen(address), let failure = state.meet(block) {
    return state.halt(engine, .failed(failure))
  }
  if watch.pointee.isTracing { state.trace.append(block) }
  if watch.pointee.isRecording { state.recorder?.ran(block.address, block.size) }
  if watch.pointee.blocks > watch.pointee.blockLimit {
    state.halt(engine, .failed(.blockLimit(watch.pointee.blockLimit, at: address)))
  }
}

private func onPortRead(
  _ engine: OpaquePointer?, _ port: UInt32, _ size: Int32, _ user: UnsafeMutableRawPointer?
) -> UInt32 {
  guard let state = MachineState.of(user) else { return 0 }
  let port = UInt16(truncatingIfNeeded: port)
  // The engine's RIP is not kept up to date inside a block.
  if let value = state.readPort(port) { return value }
  state.halt(engine, .failed(.port(port, at: state.block)))
  return 0
}

private func onCode(
  _ engine: OpaquePointer?, _ address: UInt64, _ size: UInt32, _ user: UnsafeMutableRawPointer?
) {
  guard let state = MachineState.of(user), let index = state.hooks.index(of: address) else {
    return
  }
  state.reads.noteHook(block: state.blocks)
  switch state.hooks.points[index].kind {
  case .readMSR:
    let number = UInt32(truncatingIfNeeded: register(engine, UC_X86_REG_RCX))
    let value = state.msrs.read(number)
    state.record(MSRRecord(isRead: true, index: number, value: value), at: address)
    guard let value else { return state.halt(engine, .generalProtection(hook: index)) }
    set(engine, UC_X86_REG_RAX, value & 0xffff_ffff)
    set(engine, UC_X86_REG_RDX, value >> 32)
  case .writeMSR:
    let number = UInt32(truncatingIfNeeded: register(engine, UC_X86_REG_RCX))
    let value =
      register(engine, UC_X86_REG_RAX) & 0xffff_ffff | register(engine, UC_X86_REG_RDX) << 32
    guard !state.msrs.isBeyond(number, value) else {
      return state.halt(engine, .failed(.control(value, at: address)))
    }
    guard state.msrs.write(number, value) else {
      state.record(MSRRecord(isRead: false, index: number, value: nil), at: address)
      return state.halt(engine, .generalProtection(hook: index))
    }
    state.record(MSRRecord(isRead: false, index: number, value: value), at: address)
    if number == MSRIndex.specCtrl { state.recorder?.wroteControl() }
    if number == gsBaseMSR { set(engine, UC_X86_REG_GS_BASE, value) }
  case .print, .printWarning:
    state.printed(state.formatted(arguments(engine)))
    if let failure = state.logFailure { state.halt(engine, .failed(failure)) }
  case .panic:
    state.halt(engine, .failed(.panic(message: state.formatted(arguments(engine)))))
  case .staticCallUpdate:
    // __static_call_update(key, tramp, func), include/linux/static_call.h
    state.staticCalls.append(
      (key: register(engine, UC_X86_REG_RDI), target: register(engine, UC_X86_REG_RDX)))
    state.recorder?.directedCall(register(engine, UC_X86_REG_RDI))
  }
}

/// IA32_GS_BASE (Intel SDM vol. 4, table 2-2).
private let gsBaseMSR: UInt32 = 0xc000_0101

private func arguments(_ engine: OpaquePointer?) -> CallArguments {
  CallArguments(
    registers: (
      register(engine, UC_X86_REG_RDI), register(engine, UC_X86_REG_RSI),
      register(engine, UC_X86_REG_RDX), register(engine, UC_X86_REG_RCX),
      register(engine, UC_X86_REG_R8), register(engine, UC_X86_REG_R9)
    ), stack: register(engine, UC_X86_REG_RSP))
}

/// #UD (Intel SDM vol. 3A, 6.15).
private let invalidOpcode: UInt32 = 6

private func onInterrupt(
  _ engine: OpaquePointer?, _ number: UInt32, _ user: UnsafeMutableRawPointer?
) {
  // Unicorn 2.1 tells of an unknown instruction here as well, after `onInvalid` has dealt with it.
  guard number != invalidOpcode, let state = MachineState.of(user) else { return }
  let place = register(engine, UC_X86_REG_RIP)
  state.halt(engine, .failed(.exception(number: number, at: place)))
}

private func onUnmapped(
  _ engine: OpaquePointer?, _ kind: uc_mem_type, _ address: UInt64, _ size: Int32, _ value: Int64,
  _ user: UnsafeMutableRawPointer?
) -> Bool {
  guard let state = MachineState.of(user) else { return false }
  let access =
    switch kind {
    case UC_MEM_FETCH_UNMAPPED: "executed"
    case UC_MEM_WRITE_UNMAPPED: "written"
    default: "read"
    }
  let place = register(engine, UC_X86_REG_RIP)
  state.note(.failed(.unmapped(access: access, address: address, at: place)))
  return false
}

private func onInvalid(_ engine: OpaquePointer?, _ user: UnsafeMutableRawPointer?) -> Bool {
  guard let state = MachineState.of(user) else { return false }
  let place = register(engine, UC_X86_REG_RIP)
  guard let step = state.stepOver(invalidAt: place, engine) else {
    state.halt(engine, .failed(.invalidInstruction(at: place)))
    return true
  }
  switch step {
  case .failed(let failure): state.halt(engine, .failed(failure))
  // Changing RIP in this hook ends the run without an error: stop, and start again there.
  case .next(let length): state.halt(engine, .resume(place &+ UInt64(length)))
  }
  return true
}

extension MachineState {
  fileprivate enum Step {
    case next(length: Int)
    case failed(Failure)
  }

  /// What to do about an instruction that the engine does not know; nil: nobody knows it.
  fileprivate func stepOver(invalidAt place: UInt64, _ engine: OpaquePointer?) -> Step? {
    func byte(_ offset: Int) -> UInt8? { load(UInt8.self, at: place &+ UInt64(offset)) }
    guard let first = byte(0), let second = byte(1) else { return nil }
    if let entry = plan.bugs.entry(at: place) {
      let failure =
        entry.isWarning
        ? Failure.warning(at: place, file: entry.file, line: entry.line)
        : Failure.bug(at: place, file: entry.file, line: entry.line)
      guard entry.isWarning else { return .failed(failure) }
      warnings.append(failure)
      return .next(length: BugInstruction.length(first, second, byte(2)))
    }
    guard let third = byte(2) else { return nil }
    // 7.x's __WARN_trap: ud1 (%edx),%rdi with the bug_entry in RDI (arch/x86/include/asm/bug.h).
    if first == 0x67, second == 0x48, third == 0x0f, byte(3) == 0xb9 {
      let caller = load(UInt64.self, at: register(engine, UC_X86_REG_RSP)) ?? place
      let entry = plan.bugs.entry(lyingAt: register(engine, UC_X86_REG_RDI))
      warnings.append(.warning(at: caller, file: entry?.file ?? 0, line: entry?.line ?? 0))
      return .next(length: 5)
    }
    for (index, known) in plan.skipped.enumerated() {
      let bytes = known.bytes.bytes
      guard bytes.indices.allSatisfy({ byte($0) == bytes[$0] }) else { continue }
      if let value = known.rax { set(engine, UC_X86_REG_RAX, value.value) }
      if let value = known.rcx { set(engine, UC_X86_REG_RCX, value.value) }
      if let value = known.rdx { set(engine, UC_X86_REG_RDX, value.value) }
      skipped.insert(index)
      return .next(length: bytes.count)
    }
    return random(place, engine)
  }

  /// RDRAND and RDSEED (0F C7 /6 and /7, Intel SDM vol. 2B): the same numbers on every run.
  private func random(_ place: UInt64, _ engine: OpaquePointer?) -> Step? {
    var length = 0
    var wide = false
    var extended = 0
    while let prefix = load(UInt8.self, at: place &+ UInt64(length)), length < 4 {
      if prefix & 0xf0 == 0x40 {
        wide = prefix & 8 != 0
        extended = Int(prefix & 1) * 8
      } else if prefix != 0x66 && prefix != 0xf3 {
        break
      }
      length += 1
    }
    guard load(UInt16.self, at: place &+ UInt64(length)) == 0xc70f,
      let form = load(UInt8.self, at: place &+ UInt64(length + 2)), form >= 0xf0
    else { return nil }
    // Knuth's MMIX generator: any numbers do, as long as they are the same every time.
    randomNumbers = randomNumbers &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    let target = encodedRegisters[Int(form & 7) + extended]
    set(engine, target, wide ? randomNumbers : randomNumbers & 0xffff_ffff)
    set(engine, UC_X86_REG_RFLAGS, register(engine, UC_X86_REG_RFLAGS) | 1)
    return .next(length: length + 3)
  }
}

/// The lengths of the instructions that WARN and BUG place in the code.
private enum BugInstruction {
  /// ud2 (0F 0B), or ud1 with a memory operand behind an address-size prefix.
  static func length(_ first: UInt8, _ second: UInt8, _ third: UInt8?) -> Int {
    if first == 0x0f { return second == 0x0b ? 2 : 3 }
    return third == 0xb9 ? 4 : 2
  }
}

/// The general registers by their number in an instruction (Intel SDM vol. 2A, table 2-2).
let encodedRegisters: [uc_x86_reg] = [
  UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBX, UC_X86_REG_RSP, UC_X86_REG_RBP,
  UC_X86_REG_RSI, UC_X86_REG_RDI, UC_X86_REG_R8, UC_X86_REG_R9, UC_X86_REG_R10, UC_X86_REG_R11,
  UC_X86_REG_R12, UC_X86_REG_R13, UC_X86_REG_R14, UC_X86_REG_R15,
]
