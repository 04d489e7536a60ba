public import Mitigation

/// What boot code left behind when the machine stopped it: all that anything later can depend on.
public struct BootState: Sendable, Hashable {
  /// A 32-bit word of the image's memory.
  public struct Word: Sendable, Hashable {
    public var address: UInt64
    public var value: UInt32
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
      Word(address: $0.address, value: $0.value)
    }
    writes = state.msrAccesses.filter { !$0.isRead }.map {
      MSRAccess(kind: .write, index: Hex32($0.index), value: $0.value)
    }
    staticCalls = state.staticCalls.map { [$0.key, $0.target] }
    log = state.log
  }

  /// The bytes in which two states differ, in ascending order of address.
  public func differences(from other: BootState) -> [UInt64] {
    // Nearly always there is none.
    if words == other.words { return [] }
    var found: [UInt64] = []
    var (mine, theirs) = (words[...], other.words[...])
    while let address = [mine.first?.address, theirs.first?.address].compactMap(\.self).min() {
      var values: [UInt32?] = [nil, nil]
      if mine.first?.address == address { values[0] = mine.removeFirst().value }
      if theirs.first?.address == address { values[1] = theirs.removeFirst().value }
      for byte in 0..<4 {
        // A word that one state leaves as the image has it is taken to differ as a whole.
        let isSame = values[0] != nil && values[1] != nil
          && ((values[0] ?? 0) ^ (values[1] ?? 0)) >> UInt32(8 * byte) & 0xFF == 0
        if !isSame { found.append(address &+ UInt64(byte)) }
      }
    }
    return found
  }
}
