internal import Mitigation

/// Which entry point a symbol belongs to: data, to be extended.
struct EntryPointSymbol: Sendable {
  /// The symbol's name; one that ends in `*` stands for all that begin so.
  var pattern: String
  var entryPoint: EntryPoint
  /// Where the name comes from.
  var reason: String

  init(_ pattern: String, _ entryPoint: EntryPoint, _ reason: String) {
    self.pattern = pattern
    self.entryPoint = entryPoint
    self.reason = reason
  }

  func matches(_ symbol: String) -> Bool {
    pattern.hasSuffix("*") ? symbol.hasPrefix(pattern.dropLast()) : symbol == pattern
  }

  /// The entry point of a symbol; nil if it is not listed.
  static func entryPoint(of symbol: String) -> EntryPoint? {
    // Compilers put a function's unlikely parts and its copies under names with a dot behind.
    let name = symbol.prefix { $0 != "." }
    return known.first { $0.matches(String(name)) }?.entryPoint
  }

  /// The nearest symbol in front of a site may be a label inside the function, so labels are listed.
  static let known: [EntryPointSymbol] = [
    EntryPointSymbol(
      "entry_SYSCALL_64*", .syscall64,
      "arch/x86/entry/entry_64.S, with its labels _safe_stack and _after_hwframe"),
    EntryPointSymbol(
      "entry_SYSENTER_compat*", .sysenterCompat,
      "arch/x86/entry/entry_64_compat.S, with its label _after_hwframe"),
    EntryPointSymbol(
      "entry_SYSCALL_compat*", .syscallCompat,
      "arch/x86/entry/entry_64_compat.S, with its labels _safe_stack and _after_hwframe"),
    EntryPointSymbol(
      "entry_INT80_compat*", .int80,
      "arch/x86/entry/entry_64_compat.S before int80 became an exception like others"),
    EntryPointSymbol(
      "int80_emulation", .int80,
      "arch/x86/entry/entry_64_compat.S: clears, then goes on to do_int80_emulation"),
    EntryPointSymbol(
      "asm_int80_emulation", .int80, "the stub that DECLARE_IDTENTRY_RAW makes of int80_emulation"),
    EntryPointSymbol(
      "do_int80_emulation", .int80, "arch/x86/entry/common.c: what int80_emulation goes on to"),
    EntryPointSymbol(
      "asm_fred_entrypoint_user*", .fredUser, "arch/x86/entry/entry_64_fred.S"),
    EntryPointSymbol(
      "fred_entry_from_user*", .fredUser, "arch/x86/entry/entry_fred.c"),
    EntryPointSymbol(
      "__vmx_vcpu_run", .vmexit, "arch/x86/kvm/vmx/vmenter.S: VM entry and what follows"),
    EntryPointSymbol(
      "vmx_vmexit", .vmexit, "arch/x86/kvm/vmx/vmenter.S: the label where a VM exit lands"),
    EntryPointSymbol(
      "arch_exit_to_user_mode_prepare*", .exitToUser,
      "arch/x86/include/asm/entry-common.h: VMSCAPE's place, where it is not inlined"),
    EntryPointSymbol(
      "do_jit", .bpf, "arch/x86/net/bpf_jit_comp.c: emits the call at the end of a classic program"),
    EntryPointSymbol(
      "emit_spectre_bhb_barrier", .bpf, "arch/x86/net/bpf_jit_comp.c, where it is not inlined"),
    EntryPointSymbol(
      "bpf_int_jit_compile", .bpf, "arch/x86/net/bpf_jit_comp.c, with do_jit inlined"),
  ]
}

/// An entry point that a kernel has if it has a symbol.
struct ExpectedEntryPoint: Sendable {
  var entryPoint: EntryPoint
  /// Any of them shows that the kernel enters there.
  var symbols: [String]

  static let inKernel: [ExpectedEntryPoint] = [
    ExpectedEntryPoint(entryPoint: .syscall64, symbols: ["entry_SYSCALL_64"]),
    ExpectedEntryPoint(entryPoint: .sysenterCompat, symbols: ["entry_SYSENTER_compat"]),
    ExpectedEntryPoint(entryPoint: .syscallCompat, symbols: ["entry_SYSCALL_compat"]),
    ExpectedEntryPoint(
      entryPoint: .int80,
      symbols: ["asm_int80_emulation", "int80_emulation", "entry_INT80_compat"]),
  ]

  /// Where KVM for Intel enters guests: in the kernel if it is built in, else in its module.
  static let vmexit = ExpectedEntryPoint(entryPoint: .vmexit, symbols: ["__vmx_vcpu_run"])
}

/// Static calls that boot code may direct at the sequence.
struct SequenceStaticCall: Sendable {
  /// The key, `__SCK__` and the name that DEFINE_STATIC_CALL was given.
  var key: String
  var entryPoint: EntryPoint
  var reason: String

  static let known: [SequenceStaticCall] = [
    SequenceStaticCall(
      key: "__SCK__vmscape_predictor_flush", entryPoint: .exitToUser,
      reason: "the posted series that lets VMSCAPE clear the branch history before user space runs")
  ]
}
