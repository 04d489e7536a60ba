public import KernelImage
public import Mitigation

/// The static calls of an image that boot code may direct at the sequence.
public enum StaticCallKeys {
  /// The entry points that run them, by the address of the key that __static_call_update() is
  /// called with (include/linux/static_call.h).
  public static func all(in kernel: KernelImage) -> [UInt64: EntryPoint] {
    var keys: [UInt64: EntryPoint] = [:]
    for known in SequenceStaticCall.known {
      if let address = kernel.symbols.address(of: known.key) { keys[address] = known.entryPoint }
    }
    return keys
  }
}
