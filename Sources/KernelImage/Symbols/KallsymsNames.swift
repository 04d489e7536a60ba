/// The compressed names of kallsyms, expanded only while one is compared or printed.
///
/// A name is a length (one byte, or two if the first has its top bit set) and that many token
/// numbers; the first character of the expanded text is the letter that `nm` prints. See the
/// kernel's kernel/kallsyms.c, kallsyms_expand_symbol().
struct KallsymsNames: SymbolNames {
  private let region: Blob
  private let tokens: KallsymsTokens
  /// Where the tokens of each name begin in the region, and how many there are.
  private let starts: [UInt32]
  private let lengths: [UInt16]
  /// Where the tables lie in the region, in bytes: the count of names, and the first name.
  let countStart: Int
  let namesStart: Int

  var count: Int { starts.count }

  /// Finds count, names and markers before the token table.
  ///
  /// `kallsyms_markers` holds the position of every 256th name; between it and the tokens newer
  /// kernels keep `kallsyms_seqs_of_names`. What is found must fit together exactly: the count,
  /// each marker, and names that end where the markers begin.
  init?(_ tokens: KallsymsTokens) {
    let raw = tokens.region.raw
    var position = tokens.tableStart & ~3
    // Three bytes of sequence numbers and 1/64 byte of markers a symbol, for 4 million symbols.
    let lowest = max(0, position - (13 << 20))
    // The first or second candidate is right; a file made to be slow has many wrong ones.
    var attempts = 32
    while position > lowest, attempts > 0 {
      position -= 4
      guard raw.loadUnaligned(fromByteOffset: position, as: UInt32.self) == 0 else { continue }
      let markers = Self.markers(raw, at: position, end: tokens.tableStart)
      guard markers.count > 1 else { continue }
      attempts -= 1
      // What follows the markers may look like one or two more of them.
      for excess in 0..<min(3, markers.count - 1) {
        if let found = Self.names(raw, markers.dropLast(excess), markersStart: position) {
          self = KallsymsNames(
            region: tokens.region, tokens: tokens, starts: found.starts, lengths: found.lengths,
            countStart: found.countStart, namesStart: found.namesStart)
          return
        }
      }
    }
    return nil
  }

  private init(
    region: Blob, tokens: KallsymsTokens, starts: [UInt32], lengths: [UInt16], countStart: Int,
    namesStart: Int
  ) {
    self.region = region
    self.tokens = tokens
    self.starts = starts
    self.lengths = lengths
    self.countStart = countStart
    self.namesStart = namesStart
  }

  /// The ascending positions from `start` on that can be markers.
  private static func markers(
    _ raw: UnsafeRawBufferPointer, at start: Int, end: Int
  ) -> [Int] {
    // 256 names have at least a length and a token each, and at most 512 tokens.
    let steps = 256 * 2...256 * (2 + 512)
    var markers = [0]
    var position = start + 4
    while position <= end - 4 {
      let marker = Int(raw.loadUnaligned(fromByteOffset: position, as: UInt32.self))
      guard steps.contains(marker - markers[markers.count - 1]) else { break }
      markers.append(marker)
      position += 4
    }
    return markers
  }

  private static func names(
    _ raw: UnsafeRawBufferPointer, _ markers: ArraySlice<Int>, markersStart: Int
  ) -> (starts: [UInt32], lengths: [UInt16], countStart: Int, namesStart: Int)? {
    guard let last = markers.last else { return nil }
    let counts = (markers.count - 1) * 256 + 1...markers.count * 256
    var namesStart = (markersStart - last) & ~3
    let lowest = max(8, namesStart - 256 * (2 + 512))
    while namesStart >= lowest {
      for distance in [8, 4] {
        let count = Int(raw.loadUnaligned(fromByteOffset: namesStart - distance, as: UInt32.self))
        guard counts.contains(count),
          let (starts, lengths) = walk(
            raw, from: namesStart, count: count, markers: markers, end: markersStart)
        else { continue }
        return (starts, lengths, namesStart - distance, namesStart)
      }
      namesStart -= 4
    }
    return nil
  }

  /// The names from `start` on, if they agree with the markers and fill the space up to `end` but
  /// for alignment.
  private static func walk(
    _ raw: UnsafeRawBufferPointer, from start: Int, count: Int, markers: ArraySlice<Int>, end: Int
  ) -> (starts: [UInt32], lengths: [UInt16])? {
    // A wrong start is given up at the first marker, before any memory is taken.
    guard markers.count < 2 || skip(raw, from: start, count: 256, end: end) == start + markers[1]
    else { return nil }
    var starts: [UInt32] = []
    var lengths: [UInt16] = []
    starts.reserveCapacity(count)
    lengths.reserveCapacity(count)
    var position = start
    for name in 0..<count {
      if name & 255 == 0, position - start != markers[markers.startIndex + name >> 8] {
        return nil
      }
      guard let (tokens, length) = header(raw, at: position, end: end),
        let offset = UInt32(exactly: tokens)
      else { return nil }
      starts.append(offset)
      lengths.append(UInt16(length))
      position = tokens + length
    }
    guard end - position < 16, raw[position..<end].allSatisfy({ $0 == 0 }) else { return nil }
    return (starts, lengths)
  }

  private static func skip(
    _ raw: UnsafeRawBufferPointer, from start: Int, count: Int, end: Int
  ) -> Int? {
    var position = start
    for _ in 0..<count {
      guard let (tokens, length) = header(raw, at: position, end: end) else { return nil }
      position = tokens + length
    }
    return position
  }

  /// Where a name's tokens begin and how many there are; nil if they do not end before `end`.
  private static func header(
    _ raw: UnsafeRawBufferPointer, at position: Int, end: Int
  ) -> (tokens: Int, length: Int)? {
    guard position < end - 1 else { return nil }
    var length = Int(raw[position])
    var tokens = position + 1
    if length & 0x80 != 0 {
      length = length & 0x7F | Int(raw[tokens]) << 7
      tokens += 1
    }
    guard length > 0, length <= end - tokens else { return nil }
    return (tokens, length)
  }
}

extension KallsymsNames {
  func name(_ symbol: Int) -> String {
    var text: [UInt8] = []
    forEachPiece(symbol) { piece in
      text.append(contentsOf: piece)
      return true
    }
    return String(decoding: text.dropFirst(), as: UTF8.self)
  }

  func isGlobal(_ symbol: Int) -> Bool {
    var letter: UInt8 = 0
    forEachPiece(symbol) { piece in
      letter = piece.first ?? 0
      return piece.isEmpty
    }
    return (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(letter)
  }

  func matches(_ symbol: Int, _ name: UnsafeRawBufferPointer) -> Bool {
    compare(symbol, name, wholeName: true)
  }

  func hasPrefix(_ symbol: Int, _ prefix: UnsafeRawBufferPointer) -> Bool {
    compare(symbol, prefix, wholeName: false)
  }

  private func compare(
    _ symbol: Int, _ wanted: UnsafeRawBufferPointer, wholeName: Bool
  ) -> Bool {
    var matched = -1  // The letter of the type comes first.
    var isEqual = true
    forEachPiece(symbol) { piece in
      for byte in piece {
        if matched >= 0 {
          guard matched < wanted.count else {
            isEqual = !wholeName
            return false
          }
          guard wanted[matched] == byte else {
            isEqual = false
            return false
          }
        }
        matched += 1
      }
      return true
    }
    return isEqual && matched >= wanted.count
  }

  /// Hands the texts that a name is composed of to `body`, until it returns false.
  private func forEachPiece(_ symbol: Int, _ body: (UnsafeRawBufferPointer) -> Bool) {
    let raw = region.raw
    let start = Int(starts[symbol])
    for position in start..<start + Int(lengths[symbol]) {
      let token = Int(raw[position])
      let text = tokens.starts[token]
      let piece = UnsafeRawBufferPointer(rebasing: raw[text..<text + tokens.lengths[token]])
      guard body(piece) else { return }
    }
  }
}

/// Hashes of names: a polynomial over the bytes, so that the hash of a name follows from those of
/// its tokens and no name has to be expanded.
extension KallsymsNames {
  private static let factor: UInt64 = 0x9E37_79B9_7F4A_7C15

  private static func polynomial(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    bytes.reduce(0) { $0 &* factor &+ UInt64($1) }
  }

  private static func mixed(_ value: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: ((value ^ value >> 32) &* 0xD6E8_FEB8_6659_FD93) >> 32)
  }

  func hash(_ name: UnsafeRawBufferPointer) -> UInt32 { Self.mixed(Self.polynomial(name)) }

  func hashes() -> [UInt32] {
    let raw = region.raw
    let texts = (0..<256).map { token in
      UnsafeRawBufferPointer(
        rebasing: raw[tokens.starts[token]..<tokens.starts[token] + tokens.lengths[token]])
    }
    let whole = texts.map(Self.polynomial)
    // Without the letter of the type, as the first token of a name counts.
    let tails = texts.map { Self.polynomial(UnsafeRawBufferPointer(rebasing: $0.dropFirst())) }
    let powers = texts.map { (0..<$0.count).reduce(UInt64(1)) { power, _ in power &* Self.factor } }
    return whole.withUnsafeBufferPointer { whole in
      powers.withUnsafeBufferPointer { powers in
        [UInt32](unsafeUninitializedCapacity: count) { hashes, initialised in
          for symbol in 0..<count {
            let start = Int(starts[symbol])
            var value = tails[Int(raw[start])]
            for position in start + 1..<start + Int(lengths[symbol]) {
              let token = Int(raw[position])
              value = value &* powers[token] &+ whole[token]
            }
            hashes[symbol] = Self.mixed(value)
          }
          initialised = count
        }
      }
    }
  }
}
