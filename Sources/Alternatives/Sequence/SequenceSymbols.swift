/// The names under which kernels keep the sequence: data, to be extended.
public struct SequenceSymbol: Sendable, Hashable {
  public var name: String
  /// Where the name comes from.
  public var reason: String

  public static let known: [SequenceSymbol] = [
    SequenceSymbol(
      name: "clear_bhb_loop",
      reason: "arch/x86/entry/entry_64.S since the BHI mitigation (6.9 and stable series)"),
    SequenceSymbol(
      name: "clear_bhb_loop_nofence",
      reason: "the posted series that moves LFENCE to the callers and reuses the loop for VMSCAPE"),
    SequenceSymbol(
      name: "clear_bhb_long_loop",
      reason: "the same series' first versions, with the long sequence as a function of its own"),
  ]
}

/// Names that stand for a return until the kernel patches them.
enum ReturnThunks {
  /// RET is `jmp __x86_return_thunk` with CONFIG_MITIGATION_RETHUNK; at boot the jump becomes a
  /// one-byte RET and INT3s (arch/x86/kernel/alternative.c, patch_return).
  static let names = ["__x86_return_thunk"]
}
