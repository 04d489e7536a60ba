public import Mitigation

/// What boot code left behind when the machine stopped it: all that anything later can depend on.
public struct BootState: Sendable, Hashable {
  /// The 32-bit words of the image's memory that differ from the image, by address.
  public var words: [UInt64: UInt32]
  /// Every MSR write, in order.
  public var writes: [MSRAccess]
  /// Where static calls were directed, in order.
  public var staticCalls: [[UInt64]]
  /// The lines of the log.
  public var log: [[UInt8]]

  init(_ machine: borrowing Machine) {
    let state = machine.state
    words = Dictionary(
      machine.memory.changedWords(in: machine.memory.map.image).map { ($0.address, $0.value) },
      uniquingKeysWith: { first, _ in first })
    writes = state.msrAccesses.filter { !$0.isRead }.map {
      MSRAccess(kind: .write, index: Hex32($0.index), value: $0.value)
    }
    staticCalls = state.staticCalls.map { [$0.key, $0.target] }
    log = state.log
  }

  /// The words in which two states differ, in ascending order of address.
  public func differences(from other: BootState) -> [UInt64] {
    var found: Set<UInt64> = []
    for (address, value) in words where other.words[address] != value { found.insert(address) }
    for (address, value) in other.words where words[address] != value { found.insert(address) }
    return found.sorted()
  }
}
