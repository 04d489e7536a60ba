/// Something that boot code asked the processor for, and that a hypervisor could have answered
/// otherwise.
public struct BootRead: Sendable, Hashable {
  public enum Answer: Sendable, Hashable {
    /// CPUID in the range that hypervisors use.
    case cpuid(leaf: UInt32, CPUIDRegisters)
    /// A model-specific register before the kernel wrote it; nil: reading it faulted.
    case msr(index: UInt32, UInt64?)
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

  private(set) var reads: [BootRead] = []
  private var indexes: [Key: Int] = [:]
  private var written: Set<UInt32> = []
  var isOn = false

  mutating func removeAll() {
    reads.removeAll(keepingCapacity: true)
    indexes.removeAll(keepingCapacity: true)
    written.removeAll(keepingCapacity: true)
  }

  mutating func note(leaf: UInt32, _ registers: CPUIDRegisters, at address: UInt64) {
    note(.leaf(leaf), .cpuid(leaf: leaf, registers), address)
  }

  mutating func note(_ record: MSRRecord, at address: UInt64) {
    guard isOn else { return }
    if !record.isRead {
      if record.value != nil { written.insert(record.index) }
    } else if !written.contains(record.index) {
      // What the kernel wrote before is its own word, not the hypervisor's.
      note(.msr(record.index), .msr(index: record.index, record.value), address)
    }
  }

  private mutating func note(_ key: Key, _ answer: BootRead.Answer, _ address: UInt64) {
    if let index = indexes[key] {
      if !reads[index].addresses.contains(address) { reads[index].addresses.append(address) }
    } else {
      indexes[key] = reads.count
      reads.append(BootRead(answer: answer, addresses: [address]))
    }
  }
}
