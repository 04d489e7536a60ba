/// What the guest wrote since a certain moment, so that it can be compared and undone.
struct WriteLog {
  private struct Record {
    var offset: Int
    var size: Int
    var old: UInt64
  }

  private var records: [Record] = []
  /// Whether something was written that cannot be undone.
  private(set) var isBroken = false
  var isOn = false

  mutating func begin() {
    records.removeAll(keepingCapacity: true)
    isBroken = false
    isOn = true
  }

  /// Notes a write before it happens.
  mutating func note(offset: Int?, size: Int, in arena: UnsafeMutableRawPointer) {
    guard let offset else {
      isBroken = true
      return
    }
    let source = arena + offset
    let old: UInt64
    switch size {
    case 1: old = UInt64(source.load(as: UInt8.self))
    case 2: old = UInt64(source.loadUnaligned(as: UInt16.self))
    case 4: old = UInt64(source.loadUnaligned(as: UInt32.self))
    case 8: old = source.loadUnaligned(as: UInt64.self)
    default:
      isBroken = true
      return
    }
    records.append(Record(offset: offset, size: size, old: old))
  }

  /// Puts back what was there, and says where.
  mutating func undo(in arena: UnsafeMutableRawPointer, _ restored: (Range<Int>) -> Void) {
    while let record = records.popLast() {
      let target = arena + record.offset
      switch record.size {
      case 1: target.storeBytes(of: UInt8(truncatingIfNeeded: record.old), as: UInt8.self)
      case 2: target.storeBytes(of: UInt16(truncatingIfNeeded: record.old), as: UInt16.self)
      case 4: target.storeBytes(of: UInt32(truncatingIfNeeded: record.old), as: UInt32.self)
      default: target.storeBytes(of: record.old, as: UInt64.self)
      }
      restored(record.offset..<record.offset + record.size)
    }
  }

  /// The 8-byte words that were written, with what they hold now; without those in `dead`.
  func words(in arena: UnsafeMutableRawPointer, without dead: Range<Int>) -> [Int: UInt64] {
    var words: [Int: UInt64] = [:]
    forEachWord(without: dead) { word in
      words[word] = arena.loadUnaligned(fromByteOffset: word, as: UInt64.self)
      return true
    }
    return words
  }

  /// Whether all words that were written are in `words`, and `words` is what is there.
  func agrees(
    with words: [Int: UInt64], in arena: UnsafeMutableRawPointer, without dead: Range<Int>
  ) -> Bool {
    forEachWord(without: dead) { words[$0] != nil }
      && words.allSatisfy { word, value in
        arena.loadUnaligned(fromByteOffset: word, as: UInt64.self) == value
      }
  }

  @discardableResult
  private func forEachWord(without dead: Range<Int>, _ body: (Int) -> Bool) -> Bool {
    for record in records {
      var word = record.offset & ~7
      while word < record.offset + record.size {
        if !dead.contains(word), !body(word) { return false }
        word += 8
      }
    }
    return true
  }
}
