import Glibc

/// Reads `System.map`: lines of an address in hex, a letter and a name, as `nm` prints them.
enum SystemMap {
  /// The symbols of the text; nil if a line is none of that form (a distribution's stub, a damaged
  /// file).
  static func symbols(_ contents: Artefact.Contents) -> SymbolStore? {
    let text = Blob(contents)
    guard var names = TextNames(text, terminator: UInt8(ascii: "\n")) else { return nil }
    var addresses: [UInt64] = []
    let bytes = text.raw
    var position = 0
    while position < bytes.count {
      guard let entry = entry(bytes, at: position) else { return nil }
      if entry.end > entry.name {
        names.append(
          offset: UInt32(entry.name),
          isGlobal: (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(entry.letter))
        addresses.append(entry.address)
      }
      position = entry.end + 1
    }
    return addresses.isEmpty ? nil : SymbolStore(names: names, addresses: addresses)
  }

  private static func entry(
    _ bytes: UnsafeRawBufferPointer, at start: Int
  ) -> (address: UInt64, letter: UInt8, name: Int, end: Int)? {
    var address: UInt64 = 0
    var position = start
    while position < bytes.count,
      let digit = Character(UnicodeScalar(bytes[position])).hexDigitValue
    {
      guard position - start < 16 else { return nil }
      address = address << 4 | UInt64(digit)
      position += 1
    }
    let space = UInt8(ascii: " ")
    guard position > start, position + 3 < bytes.count, bytes[position] == space,
      bytes[position + 2] == space, let base = bytes.baseAddress,
      let end = memchr(base + position + 3, Int32(UInt8(ascii: "\n")), bytes.count - position - 3)
    else { return nil }
    return (address, bytes[position + 1], position + 3, UnsafeRawPointer(end) - base)
  }
}
