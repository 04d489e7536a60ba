internal import CUnicorn
internal import Mitigation

/// One emulated CPU with its memory, ready to run boot paths of one image after another.
///
/// Translations stay warm between paths; memory is put back as it was. One thread creates, runs
/// and frees it.
struct Machine: ~Copyable {
  let image: BootImage
  let engine: Engine
  let memory: GuestMemory
  let state: MachineState
  private let context: EngineContext

  /// - Parameter watchesMemory: whether records hold loads and stores.
  init(_ image: BootImage, watchesMemory: Bool = false) throws(MachineError) {
    let memory = try GuestMemory(image.pristine)
    let engine = try Engine()
    let state = try MachineState(plan: image.plan, memory: memory)
    let map = memory.map
    for part in map.parts(code: image.code) {
      try engine.map(memory.host(part.area), at: part.area.guest, isExecutable: part.isExecutable)
    }
    engine.writeGDT(base: map.descriptors.guest, limit: 0x7f)
    engine.write(UC_X86_REG_CS, 0x10)
    engine.write(UC_X86_REG_SS, 0x18)
    engine.write(UC_X86_REG_GS_BASE, image.plan.perCPUBase)
    // First, so that a step is known when the other hooks of its instruction are called.
    if watchesMemory { try state.watchMemory(in: engine) }
    try state.install(in: engine)
    context = try EngineContext(engine)
    self.image = image
    self.memory = memory
    self.engine = engine
    self.state = state
  }

  /// Puts memory and registers back, and gives the CPU what the next path finds.
  func prepare(
    _ processor: Processor, commandLine: [UInt8], patches: [Patch] = []
  ) throws(MachineError) {
    let engine = self.engine.handle
    try memory.overlay.replace(with: patches, over: image.pristine)
    memory.restore { changed in
      for code in image.code where changed.overlaps(code) {
        _ = bhb_remove_cache(engine, changed.lowerBound, changed.upperBound)
        return
      }
    }
    try context.restore(self.engine)
    state.reset()
    state.cpuid = processor.cpuid
    state.msrs = MSRBank(
      architectural: image.plan.architecturalMSRs, processor: processor)
    let capacity = image.plan.commandLineCapacity
    guard commandLine.count < capacity,
      memory.write(commandLine + [0], at: image.plan.commandLine)
    else {
      throw MachineError("a command line of \(commandLine.count) bytes: fewer than \(capacity) fit")
    }
  }

  /// Discards translations of code in this part of the arena.
  func forgetCode(at offsets: Range<Int>) {
    guard let start = memory.map.guestAddress(of: offsets.lowerBound) else { return }
    let range = start..<start + UInt64(offsets.count)
    for code in image.code where code.overlaps(range) { return engine.forgetCode(in: range) }
  }

  /// Calls a function of the kernel and waits for its end, or for `until`.
  ///
  /// - Returns: why it did not get there; nil if it did.
  func call(
    _ function: BootPlan.Call, _ arguments: [UInt64] = [], stackDepth: UInt64 = 0
  ) -> Failure? {
    if let failure = enter(function, arguments, stackDepth: stackDepth) { return failure }
    let end = function.until ?? memory.map.stop.guest
    return run(from: function.address, until: end, name: function.name, stackDepth: stackDepth)
  }

  /// Prepares stack and registers for a call; nil if that could be done.
  func enter(
    _ function: BootPlan.Call, _ arguments: [UInt64] = [], stackDepth: UInt64 = 0
  ) -> Failure? {
    let map = memory.map
    // 8 below a multiple of 16, as after a CALL (System V AMD64 ABI, 3.2.2).
    let depth = max(stackDepth, state.reservedStack)
    // Code that left its stack has no place for another call.
    guard depth < UInt64(map.stack.size) - 0x2000 else {
      return .astray(function: function.name, at: engine.read(UC_X86_REG_RIP))
    }
    let stack = map.stack.guest + UInt64(map.stack.size) - 0x1000 - depth - 8
    guard memory.write(map.stop.guest, at: stack) else {
      return .astray(function: function.name, at: stack)
    }
    engine.write(UC_X86_REG_RSP, stack)
    engine.write(UC_X86_REG_RBP, 0)
    for (register, value) in zip(argumentRegisters, arguments) { engine.write(register, value) }
    return nil
  }

  /// Remembers the call that has just reached its `until`, and keeps its stack from others.
  func pause() -> PausedCall {
    let top = memory.map.stack.guest + UInt64(memory.map.stack.size)
    let stack = engine.read(UC_X86_REG_RSP)
    state.reservedStack = (top &- stack &+ 0x1000) & ~0xfff
    return PausedCall(stack: stack, registers: generalRegisters.map { engine.read($0) })
  }

  /// Goes on with a paused call as if the function at whose entry it stopped had returned.
  ///
  /// - Returns: why it did not get to its end; nil if it did.
  func resume(_ paused: PausedCall, name: String) -> Failure? {
    guard let next = memory.read(UInt64.self, at: paused.stack) else {
      return .astray(function: name, at: paused.stack)
    }
    for (register, value) in zip(generalRegisters, paused.registers) {
      engine.write(register, value)
    }
    engine.write(UC_X86_REG_RSP, paused.stack &+ 8)
    return run(from: next, until: memory.map.stop.guest, name: name, stackDepth: 0)
  }

  private func run(
    from start: UInt64, until end: UInt64, name: String, stackDepth: UInt64
  ) -> Failure? {
    var next = start
    while true {
      state.stop = nil
      let error = engine.run(from: next, until: end)
      switch state.stop {
      case .resume(let address): next = address
      case .generalProtection(let hook):
        guard stackDepth == 0 else {
          return .unhandledFault(at: state.hooks.points[hook].address)
        }
        switch deliverFault(at: hook) {
        case .success(let address): next = address
        case .failure(let failure): return failure.reason
        }
      case .failed(let failure): return failure
      case nil:
        let place = engine.read(UC_X86_REG_RIP)
        guard error == UC_ERR_OK else { return .engine(Engine.text(error), at: place) }
        return place == end ? nil : .astray(function: name, at: place)
      }
    }
  }

  private struct FaultError: Error { var reason: Failure }

  /// Lets the kernel's own fixup_exception() mend a faulting MSR access: it looks the address up
  /// in the exception table, sets the results and the place to go on at (arch/x86/mm/extable.c).
  private func deliverFault(at hook: Int) -> Result<UInt64, FaultError> {
    let point = state.hooks.points[hook]
    guard let handler = image.plan.fixupException else {
      return .failure(FaultError(reason: .unhandledFault(at: point.address)))
    }
    let frame = memory.map.page.guest + UInt64(AddressMap.pageSize)
    let stack = engine.read(UC_X86_REG_RSP)
    let flags = engine.read(UC_X86_REG_RFLAGS)
    var words = generalRegisters.map { engine.read($0) }
    // orig_ax, ip, cs, flags, sp, ss (struct pt_regs, arch/x86/include/asm/ptrace.h)
    words += [UInt64.max, point.address, 0x10, flags, stack, 0x18]
    for (index, word) in words.enumerated() {
      _ = memory.write(word, at: frame + UInt64(8 * index))
    }
    let base = engine.read(UC_X86_REG_RBP)
    // Below everything the interrupted code has on its stack.
    let top = memory.map.stack.guest + UInt64(memory.map.stack.size)
    let depth = (top &- stack &+ 0x1000) & ~0xfff
    let generalProtection: UInt64 = 13
    let failure = call(
      BootPlan.Call(name: "fixup_exception", address: handler),
      [frame, generalProtection, 0, 0], stackDepth: depth)
    if let failure { return .failure(FaultError(reason: failure)) }
    guard engine.read(UC_X86_REG_RAX) & 0xffff_ffff != 0,
      let next = memory.read(UInt64.self, at: frame + UInt64(8 * (generalRegisters.count + 1)))
    else { return .failure(FaultError(reason: .unhandledFault(at: point.address))) }
    for (index, register) in generalRegisters.enumerated() {
      engine.write(register, memory.read(UInt64.self, at: frame + UInt64(8 * index)) ?? 0)
    }
    engine.write(UC_X86_REG_RBP, base)
    engine.write(UC_X86_REG_RSP, stack)
    engine.write(UC_X86_REG_RFLAGS, flags)
    return .success(next)
  }
}

/// A call that stopped at the entry of a function that it called.
struct PausedCall {
  var stack: UInt64
  /// In the order of `generalRegisters`.
  var registers: [UInt64]
}

/// The registers of an engine as they were at one moment (`uc_context`).
struct EngineContext: ~Copyable {
  private let handle: OpaquePointer

  init(_ engine: borrowing Engine) throws(MachineError) {
    var handle: OpaquePointer?
    try Engine.check(uc_context_alloc(engine.handle, &handle), "uc_context_alloc")
    guard let handle else { throw MachineError("uc_context_alloc gave no context") }
    let error = uc_context_save(engine.handle, handle)
    guard error == UC_ERR_OK else {
      uc_context_free(handle)
      throw MachineError("uc_context_save: \(Engine.text(error))")
    }
    self.handle = handle
  }

  deinit { uc_context_free(handle) }

  func restore(_ engine: borrowing Engine) throws(MachineError) {
    try Engine.check(uc_context_restore(engine.handle, handle), "uc_context_restore")
  }
}
