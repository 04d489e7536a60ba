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
    state.recorder?.accessed(address, size, isWrite: false)
    return
  }
  state.recorder?.accessed(
    address, size, isWrite: true,
    changed: state.changes(UInt64(bitPattern: value), at: address, size: size))
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

  /// The bits that a store of a value changes.
  fileprivate func changes(_ value: UInt64, at address: UInt64, size: Int32) -> UInt64 {
    let old: UInt64? =
      switch size {
      case 1: load(UInt8.self, at: address).map(UInt64.init)
      case 2: load(UInt16.self, at: address).map(UInt64.init)
      case 4: load(UInt32.self, at: address).map(UInt64.init)
      case 8: load(UInt64.self, at: address)
      default: nil
      }
    guard let old else { return .max }
    return (value ^ old) & (size == 8 ? .max : 1 << UInt64(8 * size) - 1)
  }
}
