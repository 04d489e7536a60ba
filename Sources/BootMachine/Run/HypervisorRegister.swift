/// A register that a hypervisor can fill in.
public enum HypervisorRegister: Sendable, Hashable {
  case cpuid(leaf: UInt32, CPUIDRegister)
  case msr(UInt32)

  /// How many bits it has.
  public var width: Int {
    switch self {
    case .cpuid: 32
    case .msr: 64
    }
  }

  /// The leaf where the hypervisor of this leaf names itself.
  public static func base(of leaf: UInt32) -> UInt32 { leaf & ~0xff }
}
