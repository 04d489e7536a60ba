/// `path` as a reference of RFC 3986: relative as typed, or a `file` URI if it is absolute.
///
/// Everything but unreserved characters is encoded, a colon too: in the first segment it would
/// begin a scheme.
func fileReference(_ path: String) -> String {
  (path.hasPrefix("/") ? "file://" : "")
    + percentEncoded(path, keeping: Array("/".utf8))
}

/// `text` with every byte of UTF-8 but RFC 3986's unreserved ones and `keeping` as `%XX`.
func percentEncoded(_ text: String, keeping: [UInt8] = []) -> String {
  let unreserved = Set("-._~".utf8).union(keeping)
  var result = ""
  for byte in text.utf8 {
    let scalar = Unicode.Scalar(byte)
    let isAlphanumeric = byte < 0x80 && (scalar.properties.isAlphabetic || (48...57).contains(byte))
    if isAlphanumeric || unreserved.contains(byte) {
      result.unicodeScalars.append(scalar)
    } else {
      let digits = String(byte, radix: 16, uppercase: true)
      result += "%" + (digits.count == 1 ? "0" : "") + digits
    }
  }
  return result
}

/// A number for `text` that is the same in every run, as 16 hex digits: FNV-1a, which keeps apart
/// what is different by accident. Nobody is kept from making two texts with the same number.
func fingerprint(_ text: String) -> String {
  var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
  let digits = String(hash, radix: 16)
  return String(repeating: "0", count: 16 - digits.count) + digits
}

/// `text` with a capital letter in front and a full stop at its end.
func sentence(_ text: String) -> String {
  (text.first?.uppercased() ?? "") + text.dropFirst() + (text.hasSuffix(".") ? "" : ".")
}
