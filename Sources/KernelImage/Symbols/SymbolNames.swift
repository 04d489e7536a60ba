import Glibc

/// Names of symbols that stay where they are in the file until one is printed.
protocol SymbolNames: Sendable {
  var count: Int { get }
  func name(_ symbol: Int) -> String
  func isGlobal(_ symbol: Int) -> Bool
  func matches(_ symbol: Int, _ name: UnsafeRawBufferPointer) -> Bool
  func hasPrefix(_ symbol: Int, _ prefix: UnsafeRawBufferPointer) -> Bool
  /// A hash of a name that agrees with `hashes()`.
  func hash(_ name: UnsafeRawBufferPointer) -> UInt32
  /// The hash of every name, in one pass.
  func hashes() -> [UInt32]
}

/// Names that lie as text in a table of strings (`.strtab`, `__ksymtab_strings`) or in System.map.
struct TextNames: SymbolNames {
  /// Ends with a terminator, so that every name that starts inside ends inside.
  private let text: Blob
  private let terminator: UInt8
  private var offsets: [UInt32] = []
  private var globals: [Bool] = []

  /// Names in `text`, each up to `terminator`; nil if the text does not end with one or is larger
  /// than the 4 GiB that ELF's own offsets of names can reach.
  init?(_ text: Blob, terminator: UInt8 = 0) {
    guard text.raw.last == terminator, text.count <= Int(UInt32.max) else { return nil }
    self.text = text
    self.terminator = terminator
  }

  mutating func reserveCapacity(_ count: Int) {
    offsets.reserveCapacity(count)
    globals.reserveCapacity(count)
  }

  /// Adds the name that starts at `offset`, which must lie inside the text.
  mutating func append(offset: UInt32, isGlobal: Bool) {
    precondition(Int(offset) < text.count, "a name starts outside its text")
    offsets.append(offset)
    globals.append(isGlobal)
  }

  var count: Int { offsets.count }

  func isGlobal(_ symbol: Int) -> Bool { globals[symbol] }

  func name(_ symbol: Int) -> String {
    String(decoding: bytes(symbol, in: text.raw), as: UTF8.self)
  }

  func matches(_ symbol: Int, _ name: UnsafeRawBufferPointer) -> Bool {
    let bytes = bytes(symbol, in: text.raw)
    return bytes.count == name.count && bytes.starts(with: name)
  }

  func hasPrefix(_ symbol: Int, _ prefix: UnsafeRawBufferPointer) -> Bool {
    let rest = text.raw.count - Int(offsets[symbol])
    guard prefix.count <= rest, let start = text.raw.baseAddress, let wanted = prefix.baseAddress
    else { return prefix.isEmpty }
    return memcmp(start + Int(offsets[symbol]), wanted, prefix.count) == 0
  }

  func hash(_ name: UnsafeRawBufferPointer) -> UInt32 { Self.hash(name) }

  func hashes() -> [UInt32] {
    let text = text.raw
    return offsets.indices.map { Self.hash(bytes($0, in: text)) }
  }

  /// Nothing of a name that is longer than any: a million could share one of a megabyte.
  private func bytes(_ symbol: Int, in text: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    let start = Int(offsets[symbol])
    guard let base = text.baseAddress,
      let end = memchr(
        base + start, Int32(terminator), min(text.count - start, ElfFile.Limit.name + 1))
    else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    return UnsafeRawBufferPointer(start: base + start, count: UnsafeRawPointer(end) - base - start)
  }

  /// Eight bytes a step: names are hashed by the hundred thousand.
  private static func hash(_ name: UnsafeRawBufferPointer) -> UInt32 {
    let factor: UInt64 = 0x9E37_79B9_7F4A_7C15
    var state = UInt64(name.count) &* factor
    var offset = 0
    while offset + 8 <= name.count {
      state = (state ^ name.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) &* factor
      state ^= state >> 29
      offset += 8
    }
    var tail: UInt64 = 0
    while offset < name.count {
      tail = tail << 8 | UInt64(name[offset])
      offset += 1
    }
    state = (state ^ tail) &* factor
    return UInt32(truncatingIfNeeded: state >> 32)
  }
}
