internal import CUnicorn

/// Owns one CPU emulator (`uc_engine`).
///
/// One thread creates, runs and frees it.
struct Engine: ~Copyable {
  let handle: OpaquePointer

  /// Opens an x86-64 engine.
  ///
  /// Skylake Server is the model because Unicorn's default lacks POPCNT, which a kernel uses
  /// as soon as CPUID shows it. What the *kernel* sees of the CPU comes from the CPUID hook.
  init() throws(MachineError) {
    var handle: OpaquePointer?
    try Engine.check(uc_open(UC_ARCH_X86, UC_MODE_64, &handle), "uc_open")
    guard let handle else { throw MachineError("uc_open gave no engine") }
    let model = bhb_set_cpu_model(handle, Int32(UC_CPU_X86_SKYLAKE_SERVER.rawValue))
    guard model == UC_ERR_OK else {
      uc_close(handle)
      throw MachineError("uc_ctl(CPU_MODEL): \(Engine.text(model))")
    }
    var hook = uc_hook()
    let pages = bhb_map_identically(handle, &hook)
    guard pages == UC_ERR_OK else {
      uc_close(handle)
      throw MachineError("uc_ctl(TLB_TYPE): \(Engine.text(pages))")
    }
    self.handle = handle
  }

  deinit { uc_close(handle) }

  static func check(_ error: uc_err, _ what: String) throws(MachineError) {
    guard error == UC_ERR_OK else { throw MachineError("\(what): \(text(error))") }
  }

  static func text(_ error: uc_err) -> String {
    uc_strerror(error).map { String(cString: $0) } ?? "error \(error.rawValue)"
  }

  /// Lets the guest see `memory` at `address`; the caller keeps it alive.
  ///
  /// A store to executable memory makes Unicorn look for translations of it, every time.
  func map(
    _ memory: UnsafeMutableRawBufferPointer, at address: UInt64, isExecutable: Bool
  ) throws(MachineError) {
    let access =
      isExecutable ? UC_PROT_ALL.rawValue : UC_PROT_READ.rawValue | UC_PROT_WRITE.rawValue
    try Engine.check(
      uc_mem_map_ptr(handle, address, memory.count, UInt32(access), memory.baseAddress),
      "uc_mem_map_ptr at \(String(address, radix: 16))")
  }

  func read(_ register: uc_x86_reg) -> UInt64 {
    var value: UInt64 = 0
    uc_reg_read(handle, Int32(register.rawValue), &value)
    return value
  }

  func write(_ register: uc_x86_reg, _ value: UInt64) {
    var value = value
    uc_reg_write(handle, Int32(register.rawValue), &value)
  }

  /// Sets the descriptor table register GDTR.
  func writeGDT(base: UInt64, limit: UInt32) {
    var table = uc_x86_mmr(selector: 0, base: base, limit: limit, flags: 0)
    uc_reg_write(handle, Int32(UC_X86_REG_GDTR.rawValue), &table)
  }

  /// Runs from `begin` until the instruction at `end` would run, a hook stops it, or it faults.
  func run(from begin: UInt64, until end: UInt64) -> uc_err {
    uc_emu_start(handle, begin, end, 0, 0)
  }

  /// Forgets what was translated from `range`: Unicorn does not see code change from outside.
  func forgetCode(in range: Range<UInt64>) {
    // A range that was never translated is no error of ours.
    _ = bhb_remove_cache(handle, range.lowerBound, range.upperBound)
  }
}

/// The general registers in the order of the kernel's `struct pt_regs`, before the rest of it.
let generalRegisters: [uc_x86_reg] = [
  UC_X86_REG_R15, UC_X86_REG_R14, UC_X86_REG_R13, UC_X86_REG_R12, UC_X86_REG_RBP, UC_X86_REG_RBX,
  UC_X86_REG_R11, UC_X86_REG_R10, UC_X86_REG_R9, UC_X86_REG_R8, UC_X86_REG_RAX, UC_X86_REG_RCX,
  UC_X86_REG_RDX, UC_X86_REG_RSI, UC_X86_REG_RDI,
]

/// The registers that carry arguments (System V AMD64 ABI).
let argumentRegisters: [uc_x86_reg] = [
  UC_X86_REG_RDI, UC_X86_REG_RSI, UC_X86_REG_RDX, UC_X86_REG_RCX, UC_X86_REG_R8, UC_X86_REG_R9,
]
