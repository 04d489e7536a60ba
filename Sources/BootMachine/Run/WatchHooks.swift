internal import CUnicorn

/// An instruction of the guest is about to run.
private func onStep(
  _ engine: OpaquePointer?, _ address: UInt64, _ size: UInt32, _ user: UnsafeMutableRawPointer?
) {
  guard let user else { return }
  Unmanaged<MachineState>.fromOpaque(user).takeUnretainedValue().recorder?.stepped(address)
}

/// A load or store of the guest; a store has not happened yet.
private func onMemory(
  _ engine: OpaquePointer?, _ kind: uc_mem_type, _ address: UInt64, _ size: Int32, _ value: Int64,
  _ user: UnsafeMutableRawPointer?
) {
  guard let user else { return }
  let state = Unmanaged<MachineState>.fromOpaque(user).takeUnretainedValue()
  guard kind == UC_MEM_WRITE else {
    state.recorder?.accessed(address, size, .read)
    return
  }
  state.recorder?.accessed(
    address, size, state.holds(value, at: address, size: size) ? .rewrite : .write)
}

extension MachineState {
  /// Lets recorders see every instruction, load and store; before anything is translated.
  func watchMemory(in engine: borrowing Engine) throws(MachineError) {
    let user = Unmanaged.passUnretained(self).toOpaque()
    var hook: uc_hook = 0
    try Engine.check(
      bhb_hook_code(engine.handle, &hook, onStep, user, 1, 0), "a hook on instructions")
    let accesses = UC_HOOK_MEM_READ.rawValue | UC_HOOK_MEM_WRITE.rawValue
    try Engine.check(
      bhb_hook_memory(engine.handle, &hook, Int32(accesses), onMemory, user, 1, 0),
      "a hook on memory")
  }

  /// Whether a value of at most eight bytes stands in memory already.
  fileprivate func holds(_ value: Int64, at address: UInt64, size: Int32) -> Bool {
    let value = UInt64(bitPattern: value)
    return switch size {
    case 1: load(UInt8.self, at: address) == UInt8(truncatingIfNeeded: value)
    case 2: load(UInt16.self, at: address) == UInt16(truncatingIfNeeded: value)
    case 4: load(UInt32.self, at: address) == UInt32(truncatingIfNeeded: value)
    case 8: load(UInt64.self, at: address) == value
    default: false
    }
  }
}
