/// What reading a model-specific register gives when nothing defines it.
public enum MSRDefault: Sendable, Hashable {
  /// #GP, so that the kernel's own fixup runs.
  case fault
  case value(UInt64)
}

/// Indexes of the model-specific registers that the project speaks of (Intel SDM vol. 4).
public enum MSRIndex {
  /// IA32_SPEC_CTRL.
  public static let specCtrl: UInt32 = 0x48
  /// IA32_ARCH_CAPABILITIES.
  public static let archCapabilities: UInt32 = 0x10A
}

/// A processor as a kernel sees it: what it answers to CPUID and what its registers hold.
public struct Processor: Sendable, Hashable {
  /// The id of its profile, or the name of its dump.
  public var id: String
  public var title: String
  public var cpuid: CPUIDTable
  public var msrs: [UInt32: UInt64]
  public var msrDefault: MSRDefault
  /// Whether BHI affects it, by the statement that `affectedSource` names; nil if nobody says so.
  public var affected: Bool?
  public var affectedSource: String?
  /// Whether its core is known to be older than Alder Lake's; what is on no list counts as new.
  public var beforeAlderLake: Bool
  /// What came from a dump or an option.
  public var given: [String]
  /// What came from a profile of our own.
  public var derived: [String]

  public init(
    id: String, title: String, cpuid: CPUIDTable, msrs: [UInt32: UInt64] = [:],
    msrDefault: MSRDefault = .fault, given: [String] = [], derived: [String] = []
  ) {
    self.id = id
    self.title = title
    self.cpuid = cpuid
    self.msrs = msrs
    self.msrDefault = msrDefault
    self.affected = nil
    self.affectedSource = nil
    self.beforeAlderLake = false
    self.given = given
    self.derived = derived
  }

  public var vendor: ProcessorVendor? { cpuid.vendor }

  /// What CPUID leaf 0 says, also of a vendor that is not known; empty if there is no such leaf.
  public var vendorName: String {
    guard let registers = cpuid[0, 0] else { return "" }
    return CPUIDTable.text(of: [registers.ebx, registers.edx, registers.ecx])
  }

  /// EAX of leaf 1: the encoded family, model and stepping.
  public var signature: UInt32 { cpuid[1, 0]?.eax ?? 0 }

  /// The displayed family: base plus, where that is 15, the extended one (Intel SDM vol. 2, CPUID).
  public var family: Int {
    let base = Int(signature >> 8 & 0xF)
    return base == 0xF ? base + Int(signature >> 20 & 0xFF) : base
  }

  /// The displayed model. From family 6 on the extended bits count, as Linux reads them.
  public var model: Int {
    let base = Int(signature >> 4 & 0xF)
    return family >= 6 ? base + Int(signature >> 16 & 0xF) << 4 : base
  }

  public var stepping: Int { Int(signature & 0xF) }

  /// Whether it shows BHI_CTRL, so that SPEC_CTRL has BHI_DIS_S: CPUID.(7,2):EDX[4].
  public var showsBHIControl: Bool {
    cpuid[7, 2].map { $0.edx >> 4 & 1 != 0 } ?? false
  }

  /// Whether CPUID says that IA32_ARCH_CAPABILITIES exists: CPUID.(7,0):EDX[29].
  public var enumeratesArchCapabilities: Bool {
    cpuid[7, 0].map { $0.edx >> 29 & 1 != 0 } ?? false
  }

  /// What reading a register gives; nil for a fault.
  public func msr(_ index: UInt32) -> UInt64? {
    if let value = msrs[index] { return value }
    switch msrDefault {
    case .fault: return nil
    case .value(let value): return value
    }
  }

  /// Whether it has enhanced IBRS (ARCH_CAPABILITIES bit 1); nil if the register that tells exists,
  /// but its value is unknown.
  public var hasEnhancedIBRS: Bool? {
    guard enumeratesArchCapabilities else { return false }
    return msr(MSRIndex.archCapabilities).map { $0 >> 1 & 1 != 0 }
  }

  /// The hypervisor's signature at `base`, if CPUID shows one there.
  public func hypervisorSignature(at base: UInt32) -> String? {
    guard let registers = cpuid[base, 0] else { return nil }
    let text = CPUIDTable.text(of: [registers.ebx, registers.ecx, registers.edx])
    return text.isEmpty ? nil : text
  }
}
