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
      reason: "the name since version 7 of the posted VMSCAPE series: LFENCE is left to the callers"
    ),
    SequenceSymbol(
      name: "clear_bhb_long_loop",
      reason: "the series' first versions, with the long sequence as a function of its own"),
    SequenceSymbol(
      name: "clear_bhb_long_loop_no_barrier",
      reason: "the same function in the version of the series that takes LFENCE out of it"),
  ]
}

/// Names that stand for a return until the kernel patches them.
enum ReturnThunks {
  /// RET is `jmp __x86_return_thunk` with CONFIG_MITIGATION_RETHUNK; at boot the jump becomes a
  /// one-byte RET and INT3s (arch/x86/kernel/alternative.c, patch_return).
  static let names = ["__x86_return_thunk"]
}
