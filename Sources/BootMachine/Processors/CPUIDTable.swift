/// A register of a CPUID answer.
public enum CPUIDRegister: String, Sendable, Hashable, Codable, CaseIterable {
  case eax, ebx, ecx, edx
}

/// The four registers that one CPUID query returns.
public struct CPUIDRegisters: Sendable, Hashable {
  public var eax: UInt32
  public var ebx: UInt32
  public var ecx: UInt32
  public var edx: UInt32

  public init(eax: UInt32 = 0, ebx: UInt32 = 0, ecx: UInt32 = 0, edx: UInt32 = 0) {
    self.eax = eax
    self.ebx = ebx
    self.ecx = ecx
    self.edx = edx
  }

  /// What a leaf that says nothing returns.
  public static let zero = CPUIDRegisters()

  public subscript(register: CPUIDRegister) -> UInt32 {
    get {
      switch register {
      case .eax: eax
      case .ebx: ebx
      case .ecx: ecx
      case .edx: edx
      }
    }
    set {
      switch register {
      case .eax: eax = newValue
      case .ebx: ebx = newValue
      case .ecx: ecx = newValue
      case .edx: edx = newValue
      }
    }
  }
}

/// The maker of a processor, as leaf 0 names it.
public enum ProcessorVendor: String, Sendable, Hashable, Codable, CaseIterable {
  case intel = "GenuineIntel"
  case amd = "AuthenticAMD"
  case hygon = "HygonGenuine"
  case centaur = "CentaurHauls"
  case zhaoxin = "  Shanghai  "

  /// Whether a leaf beyond the highest one answers zeros, instead of what the highest basic leaf
  /// holds (AMD APM vol. 3, CPUID; Intel SDM vol. 2, CPUID, "INPUT EAX" beyond the maximum).
  var answersZerosOutOfRange: Bool { self == .amd || self == .hygon }
}

/// What a processor answers to CPUID: known leaves, and the hardware's rules for all others.
public struct CPUIDTable: Sendable, Hashable {
  /// One known answer.
  public struct Entry: Sendable, Hashable {
    public var leaf: UInt32
    public var subleaf: UInt32
    public var registers: CPUIDRegisters

    public init(leaf: UInt32, subleaf: UInt32, registers: CPUIDRegisters) {
      self.leaf = leaf
      self.subleaf = subleaf
      self.registers = registers
    }

    fileprivate var key: UInt64 { CPUIDTable.key(leaf, subleaf) }
  }

  /// The known answers in the order of leaf and subleaf.
  public private(set) var entries: [Entry] = []

  // Kept beside the entries because the rules for unknown leaves need them at every such query.
  private var highestBasic: UInt32?
  private var highestExtended: UInt32 = 0
  private var highestCentaur: UInt32 = 0
  private var answersZerosOutOfRange = true

  /// Whether leaf 1 says that a hypervisor is present (ECX bit 31).
  public private(set) var showsHypervisor = false

  /// The maker; nil if leaf 0 is missing or names one that is not known here.
  public private(set) var vendor: ProcessorVendor?

  public init() {}

  public init(_ entries: some Sequence<Entry>) {
    for entry in entries {
      set(leaf: entry.leaf, subleaf: entry.subleaf, registers: entry.registers)
    }
  }

  /// Makes `registers` the answer to this leaf and subleaf.
  public mutating func set(leaf: UInt32, subleaf: UInt32 = 0, registers: CPUIDRegisters) {
    let entry = Entry(leaf: leaf, subleaf: subleaf, registers: registers)
    let index = lowerBound(entry.key)
    if index < entries.count, entries[index].key == entry.key {
      entries[index] = entry
    } else {
      entries.insert(entry, at: index)
    }
    refreshSummary(of: leaf)
  }

  /// Forgets every leaf in `leaves`.
  public mutating func remove(leaves: ClosedRange<UInt32>) {
    entries.removeAll { leaves.contains($0.leaf) }
    for leaf in [0, 1, 0x8000_0000, 0xC000_0000] as [UInt32] where leaves.contains(leaf) {
      refreshSummary(of: leaf)
    }
  }

  /// The known answer, without the rules for unknown leaves; nil if there is none.
  public subscript(leaf: UInt32, subleaf: UInt32) -> CPUIDRegisters? {
    let key = Self.key(leaf, subleaf)
    let index = lowerBound(key)
    guard index < entries.count, entries[index].key == key else { return nil }
    return entries[index].registers
  }

  /// Whether a bit is set in what the processor answers.
  public func isSet(
    leaf: UInt32, subleaf: UInt32 = 0, register: CPUIDRegister, bit: Int
  ) -> Bool {
    answer(leaf: leaf, subleaf: subleaf)[register] >> UInt32(truncatingIfNeeded: bit) & 1 != 0
  }

  /// What the processor returns for EAX = `leaf` and ECX = `subleaf`. Allocates nothing.
  public func answer(leaf: UInt32, subleaf: UInt32) -> CPUIDRegisters {
    if let known = self[leaf, subleaf] { return known }
    let first = lowerBound(Self.key(leaf, 0))
    if first < entries.count, entries[first].leaf == leaf {
      let last = lowerBound(Self.key(leaf, .max))
      // Several subleaves in the table prove that ECX counts, also for a leaf newer than this code.
      let isIndexed = Self.isIndexed(leaf) || last - first > 1 || entries[first].subleaf != 0
      guard isIndexed else { return entries[first].registers }
      return absentSubleaf(of: entries[first], subleaf)
    }
    guard let highestBasic, isOutOfRange(leaf, highestBasic), leaf != highestBasic else {
      return .zero
    }
    // The highest basic leaf heeds ECX here too (Intel SDM vol. 2, CPUID).
    return answer(leaf: highestBasic, subleaf: subleaf)
  }

  /// Whether the answer depends on ECX.
  ///
  /// Intel SDM vol. 2 (CPUID) and vol. 1 chapter 20; AMD APM vol. 3 appendix E.
  public static func isIndexed(_ leaf: UInt32) -> Bool {
    switch leaf {
    case 0x04, 0x07, 0x0B, 0x0D, 0x0F, 0x10, 0x12, 0x14, 0x17, 0x18, 0x1A, 0x1B, 0x1D, 0x1E, 0x1F,
      0x20, 0x21, 0x23, 0x24, 0x27, 0x28, 0x29:
      true
    case 0x8000_001D, 0x8000_0020, 0x8000_0026: true
    default: false
    }
  }

  /// The answer for a subleaf that an indexed leaf does not have.
  private func absentSubleaf(of first: Entry, _ subleaf: UInt32) -> CPUIDRegisters {
    switch first.leaf {
    case 0x0B, 0x1F, 0x8000_0026:
      // ECX[7:0] repeats the input, the level type ECX[15:8] = 0 ends the list, and EDX is the
      // x2APIC id at every level.
      CPUIDRegisters(ecx: subleaf & 0xFF, edx: first.registers.edx)
    default: .zero
    }
  }

  private func isOutOfRange(_ leaf: UInt32, _ highestBasic: UInt32) -> Bool {
    guard !answersZerosOutOfRange else { return false }
    switch leaf {
    case 0..<0x4000_0000: return leaf > highestBasic
    case 0x4000_0000..<0x5000_0000:
      // A hypervisor answers its own range; without one it is out of range like any other.
      return !showsHypervisor
    case 0x8000_0000..<0xC000_0000: return leaf > highestExtended
    case 0xC000_0000...: return leaf > highestCentaur
    default: return true
    }
  }

  private mutating func refreshSummary(of leaf: UInt32) {
    switch leaf {
    case 0:
      let registers = self[0, 0]
      highestBasic = registers?.eax
      vendor = registers.flatMap(Self.vendor(of:))
      // An unknown maker gets the cautious rule: nothing is known, so nothing is answered.
      answersZerosOutOfRange = vendor?.answersZerosOutOfRange ?? true
    case 1: showsHypervisor = (self[1, 0]?.ecx ?? 0) >> 31 != 0
    case 0x8000_0000: highestExtended = self[leaf, 0]?.eax ?? 0
    case 0xC000_0000: highestCentaur = self[leaf, 0]?.eax ?? 0
    default: break
    }
  }

  /// The maker that EBX, EDX, ECX of leaf 0 spell.
  private static func vendor(of registers: CPUIDRegisters) -> ProcessorVendor? {
    ProcessorVendor(
      rawValue: text(of: [registers.ebx, registers.edx, registers.ecx]))
  }

  /// The characters that little-endian registers hold.
  public static func text(of words: [UInt32]) -> String {
    var bytes: [UInt8] = []
    for word in words {
      withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) }
    }
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }

  private static func key(_ leaf: UInt32, _ subleaf: UInt32) -> UInt64 {
    UInt64(leaf) << 32 | UInt64(subleaf)
  }

  /// The index of the first entry that is not before `key`.
  private func lowerBound(_ key: UInt64) -> Int {
    var low = 0
    var high = entries.count
    while low < high {
      let middle = low + (high - low) / 2
      if entries[middle].key < key { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
