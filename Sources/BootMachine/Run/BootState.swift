public import Mitigation

/// What boot code left behind when the machine stopped it: all that anything later can depend on.
public struct BootState: Sendable, Hashable {
  /// A 32-bit word of the image's memory.
  public struct Word: Sendable, Hashable {
    public var address: UInt64
    public var value: UInt32
    /// What the image holds there.
    public var original: UInt32
  }

  /// The words that differ from the image, in ascending order of address.
  public var words: [Word]
  /// Every MSR write, in order.
  public var writes: [MSRAccess]
  /// Where static calls were directed, in order.
  public var staticCalls: [[UInt64]]
  /// The lines of the log.
  public var log: [[UInt8]]

  init(_ machine: borrowing Machine) {
    let state = machine.state
    words = machine.memory.changedWords(in: machine.memory.map.image).map {
      Word(address: $0.address, value: $0.value, original: $0.original)
    }
    writes = state.msrAccesses.filter { !$0.isRead }.map {
      MSRAccess(kind: .write, index: Hex32($0.index), value: $0.value)
    }
    staticCalls = state.staticCalls.map { [$0.key, $0.target] }
    log = state.log
  }

  /// The bits in which two states differ, by the address of their byte.
  public func differences(from other: BootState) -> [UInt64: UInt8] {
    var found: [UInt64: UInt8] = [:]
    // Nearly always there is none.
    if words == other.words { return found }
    var (mine, theirs) = (words[...], other.words[...])
    while let address = [mine.first?.address, theirs.first?.address].compactMap(\.self).min() {
      let left = mine.first?.address == address ? mine.removeFirst() : nil
      let right = theirs.first?.address == address ? theirs.removeFirst() : nil
      guard let original = left?.original ?? right?.original else { continue }
      let changed = (left?.value ?? original) ^ (right?.value ?? original)
      for byte in 0..<4 {
        let bits = UInt8(truncatingIfNeeded: changed >> UInt32(8 * byte))
        if bits != 0 { found[address &+ UInt64(byte)] = bits }
      }
    }
    return found
  }
}
