/// The 256 pieces of text that kallsyms composes names of (`kallsyms_token_table` and
/// `kallsyms_token_index`, written by the kernel's scripts/kallsyms.c).
struct KallsymsTokens: Sendable {
  /// What the tables were found in.
  let region: Blob
  /// Where the tables lie in the region, in bytes.
  let tableStart: Int
  let indexEnd: Int
  /// Where each token begins in the region, and its length without the zero byte.
  let starts: [Int]
  let lengths: [Int]

  /// Finds the tables in a region by their content: every lower-case letter occurs in the names of
  /// a kernel's symbols, so each is a token of its own, and `a\0b\0…z\0` stands in the table. The
  /// index behind it then has to describe exactly the texts before it.
  static func find(in region: Blob) -> KallsymsTokens? {
    let raw = region.raw
    // The first run is the right one, or one of the next; a file made to be slow has many.
    var attempts = 64
    // The run has 52 bytes, so one of every 32 positions starts eight bytes that lie within it.
    var offset = 0
    while offset <= raw.count - 8, attempts > 0 {
      let word = raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      if let distance = distanceFromA(word) {
        if let found = KallsymsTokens(region, runAt: offset - distance) { return found }
        if isRun(raw, at: offset - distance) { attempts -= 1 }
      }
      offset += 32
    }
    return nil
  }

  /// How many bytes after the run's `a` a word of the run starts; nil if it is no part of the run.
  private static func distanceFromA(_ word: UInt64) -> Int? {
    let letter = UInt8(ascii: "a")...UInt8(ascii: "w")
    let even = word & 0xFF
    if word == even &* 0x0001_0001_0001_0001 &+ 0x0003_0002_0001_0000 {
      let first = UInt8(truncatingIfNeeded: even)
      return letter.contains(first) ? 2 * Int(first - letter.lowerBound) : nil
    }
    let odd = word >> 8 & 0xFF
    if word == odd &* 0x0100_0100_0100_0100 &+ 0x0300_0200_0100_0000 {
      let first = UInt8(truncatingIfNeeded: odd)
      return letter.contains(first) ? 2 * Int(first - letter.lowerBound) - 1 : nil
    }
    return nil
  }

  private init?(_ region: Blob, runAt run: Int) {
    let raw = region.raw
    guard Self.isRun(raw, at: run) else { return nil }
    var position = run
    var token = Int(Self.letters.lowerBound)
    while token < 256 {
      guard position < raw.count, position - run < 256 * 256 else { return nil }
      if raw[position] == 0 { token += 1 }
      position += 1
    }
    let tableEnd = position
    for start in tableEnd..<tableEnd + 8 {
      guard let index = raw.part(from: start, count: 512) else { return nil }
      if let found = Self.tokens(raw, index, runAt: run, tableEnd: tableEnd) {
        self.region = region
        tableStart = found.tableStart
        indexEnd = start + 512
        starts = found.starts
        lengths = found.lengths
        return
      }
    }
    return nil
  }

  /// Whether `a\0b\0…z\0` stands at an offset.
  private static func isRun(_ raw: UnsafeRawBufferPointer, at run: Int) -> Bool {
    guard let text = raw.part(from: run, count: 2 * letters.count) else { return false }
    return letters.enumerated().allSatisfy { text[2 * $0.offset] == $0.element }
  }

  private static let letters = UInt8(ascii: "a")...UInt8(ascii: "z")

  /// The tokens if `index` describes the texts that end at `tableEnd`.
  private static func tokens(
    _ raw: UnsafeRawBufferPointer, _ index: UnsafeRawBufferPointer, runAt run: Int, tableEnd: Int
  ) -> (tableStart: Int, starts: [Int], lengths: [Int])? {
    let offsets = (0..<256).map {
      Int(index.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self))
    }
    let tableStart = run - offsets[Int(UInt8(ascii: "a"))]
    guard offsets[0] == 0, tableStart >= 0 else { return nil }
    var lengths: [Int] = []
    for token in 0..<256 {
      let next = token < 255 ? tableStart + offsets[token + 1] : tableEnd
      let length = next - tableStart - offsets[token] - 1
      guard length >= 0, next <= tableEnd, raw[next - 1] == 0 else { return nil }
      lengths.append(length)
    }
    return (tableStart, offsets.map { tableStart + $0 }, lengths)
  }
}
