/// Tells contents apart, for the cache of this tool's own results; nothing that an attacker could
/// not forge.
///
/// Two multiplicative hashes of 64 bits each (FNV-1a, over words instead of bytes, with a second
/// multiplier).
struct Fingerprint: Sendable, Hashable {
  private var first: UInt64 = 0xCBF2_9CE4_8422_2325
  private var second: UInt64 = 0x9E37_79B9_7F4A_7C15

  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    var offset = 0
    while offset + 8 <= bytes.count {
      add(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      offset += 8
    }
    while offset < bytes.count {
      add(UInt64(bytes[offset]))
      offset += 1
    }
    add(UInt64(bytes.count))
  }

  mutating func add(_ bytes: [UInt8]) { bytes.withUnsafeBytes { add($0) } }

  private mutating func add(_ word: UInt64) {
    first = (first ^ word) &* 0x100_0000_01B3
    second = (second ^ word ^ (second >> 29)) &* 0xBF58_476D_1CE4_E5B9
  }

  var text: String { [first, second].map(Self.digits).joined() }

  private static func digits(_ word: UInt64) -> String {
    let digits = String(word, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
