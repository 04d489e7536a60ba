/// Something that boot code asked the processor for, and that a hypervisor could have answered
/// otherwise.
public struct BootRead: Sendable, Hashable {
  public enum Answer: Sendable, Hashable {
    /// CPUID in the range that hypervisors use.
    case cpuid(leaf: UInt32, CPUIDRegisters)
    /// A model-specific register before the kernel wrote it; nil: reading it faulted.
    case msr(index: UInt32, UInt64?)

    /// The registers that the answer fills.
    var registers: [HypervisorRegister] {
      switch self {
      case .cpuid(let leaf, _): CPUIDRegister.allCases.map { .cpuid(leaf: leaf, $0) }
      case .msr(let index, _): [.msr(index)]
      }
    }
  }

  public var answer: Answer
  /// The addresses of the instructions that asked, in the order of their first use.
  public var addresses: [UInt64]

  /// CPUID leaves of hypervisors (Intel SDM vol. 2, CPUID: no CPU implements them).
  public static let hypervisorLeaves: ClosedRange<UInt32> = 0x4000_0000...0x4000_ffff
}

/// The reads of one boot, each once.
struct ReadLog {
  private enum Key: Hashable {
    case leaf(UInt32)
    case msr(UInt32)
  }

  /// One read with the number of the basic block that did it.
  struct Place {
    var block: Int
    var registers: [HypervisorRegister]
  }

  private(set) var reads: [BootRead] = []
  private var indexes: [Key: Int] = [:]
  private var written: Set<UInt32> = []
  private(set) var isOn = false

  /// Whether every read is kept with its place.
  private var keepsPlaces = false
  private(set) var places: [Place] = []
  /// The numbers of the blocks in which a hook stepped in.
  private(set) var hookedBlocks: Set<Int> = []

  mutating func begin(keepingPlaces: Bool = false) {
    reads.removeAll(keepingCapacity: true)
    indexes.removeAll(keepingCapacity: true)
    written.removeAll(keepingCapacity: true)
    places.removeAll(keepingCapacity: true)
    hookedBlocks.removeAll(keepingCapacity: true)
    isOn = true
    keepsPlaces = keepingPlaces
  }

  mutating func end() { isOn = false }

  mutating func noteHook(block: Int) {
    if isOn, keepsPlaces { hookedBlocks.insert(block) }
  }

  mutating func note(leaf: UInt32, _ registers: CPUIDRegisters, at address: UInt64, block: Int) {
    note(.leaf(leaf), .cpuid(leaf: leaf, registers), address, block)
  }

  mutating func note(_ record: MSRRecord, at address: UInt64, block: Int) {
    guard isOn else { return }
    if !record.isRead {
      if record.value != nil { written.insert(record.index) }
    } else if !written.contains(record.index) {
      // What the kernel wrote before is its own word, not the hypervisor's.
      note(.msr(record.index), .msr(index: record.index, record.value), address, block)
    }
  }

  private mutating func note(
    _ key: Key, _ answer: BootRead.Answer, _ address: UInt64, _ block: Int
  ) {
    if keepsPlaces { places.append(Place(block: block, registers: answer.registers)) }
    if let index = indexes[key] {
      if !reads[index].addresses.contains(address) { reads[index].addresses.append(address) }
    } else {
      indexes[key] = reads.count
      reads.append(BootRead(answer: answer, addresses: [address]))
    }
  }
}
