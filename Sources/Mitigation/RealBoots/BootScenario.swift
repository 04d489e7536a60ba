/// A boot path made ready for a real boot: what an emulated PC has to show so that the kernel finds
/// itself on that path.
public struct BootScenario: Sendable, Hashable, Codable {
  /// The processor that QEMU is asked for; everything else of the path is supplied over its answers.
  public struct Model: Sendable, Hashable, Codable {
    /// The twelve characters of leaf 0.
    public var vendor: String
    public var family: Int
    public var model: Int
    public var stepping: Int
    /// The highest basic leaf; nil: QEMU's.
    public var highestLeaf: UInt32?
    /// The highest extended leaf.
    public var highestExtendedLeaf: UInt32
    /// Features by QEMU's names, each with `+` or `-` in front.
    public var features: [String]

    public init(
      vendor: String, family: Int, model: Int, stepping: Int, highestLeaf: UInt32? = nil,
      highestExtendedLeaf: UInt32, features: [String]
    ) {
      self.vendor = vendor
      self.family = family
      self.model = model
      self.stepping = stepping
      self.highestLeaf = highestLeaf
      self.highestExtendedLeaf = highestExtendedLeaf
      self.features = features
    }
  }

  /// Bits of a CPUID answer that stand in place of QEMU's.
  public struct SuppliedLeaf: Sendable, Hashable, Codable {
    public var leaf: UInt32
    /// Nil: the leaf has no subleaves.
    public var subleaf: UInt32?
    /// The bits that are supplied, of EAX, EBX, ECX and EDX.
    public var mask: [UInt32]
    public var value: [UInt32]

    public init(leaf: UInt32, subleaf: UInt32?, mask: [UInt32], value: [UInt32]) {
      self.leaf = leaf
      self.subleaf = subleaf
      self.mask = mask
      self.value = value
    }
  }

  /// A model-specific register that stands in place of QEMU's.
  public struct SuppliedMSR: Sendable, Hashable, Codable {
    public var index: UInt32
    public var value: UInt64

    public init(index: UInt32, value: UInt64) {
      self.index = index
      self.value = value
    }
  }

  public var path: BootPath
  public var model: Model
  public var leaves: [SuppliedLeaf]
  public var msrs: [SuppliedMSR]
  /// What the boot loader hands to the kernel.
  public var commandLine: String

  public init(
    path: BootPath, model: Model, leaves: [SuppliedLeaf], msrs: [SuppliedMSR], commandLine: String
  ) {
    self.path = path
    self.model = model
    self.leaves = leaves
    self.msrs = msrs
    self.commandLine = commandLine
  }

  /// What the kernel is to see where QEMU answers `registers`.
  public func answer(
    leaf: UInt32, subleaf: UInt32, qemu registers: [UInt32]
  ) -> [UInt32] {
    var result = registers
    for supplied in leaves
    where supplied.leaf == leaf && (supplied.subleaf ?? subleaf) == subleaf {
      for index in result.indices
      where index < supplied.mask.count && index < supplied.value.count {
        result[index] =
          result[index] & ~supplied.mask[index] | supplied.value[index] & supplied.mask[index]
      }
    }
    return result
  }

  /// What reading a register gives; nil: what QEMU gives.
  public func msr(_ index: UInt32) -> UInt64? { msrs.first { $0.index == index }?.value }
}

/// Where a kernel asks the processor, and what to read when it is done: all that a real boot needs
/// to know of an image beside its bytes.
public struct BootTargets: Sendable, Hashable, Codable {
  /// A part of memory to read when the kernel has patched itself.
  public struct Range: Sendable, Hashable, Codable {
    public var address: UInt64
    public var count: Int

    public init(address: UInt64, count: Int) {
      self.address = address
      self.count = count
    }
  }

  /// The function at whose entry the kernel has chosen and patched itself: `rest_init`.
  public var end: UInt64
  /// CPUID instructions on the way to the choice.
  public var cpuid: [UInt64]
  /// RDMSR instructions on the way to the choice.
  public var rdmsr: [UInt64]
  /// Both kinds in code that runs later and must see the same processor: a KUnit suite's.
  public var later: [UInt64]
  /// What to read.
  public var memory: [Range]

  public init(
    end: UInt64, cpuid: [UInt64], rdmsr: [UInt64], later: [UInt64], memory: [Range]
  ) {
    self.end = end
    self.cpuid = cpuid
    self.rdmsr = rdmsr
    self.later = later
    self.memory = memory
  }
}
