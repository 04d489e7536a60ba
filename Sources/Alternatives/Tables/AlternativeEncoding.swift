extension AlternativesLayout {
  /// An entry as the kernel would hold it at `entry.address`; nil if a part of it is out of reach.
  ///
  /// What a module's loader would make of its table, for the kernel's own code to patch.
  public func encoded(_ entry: AlternativeEntry) -> [UInt8]? {
    func displacement(_ target: UInt64, from place: UInt64) -> UInt32? {
      Int32(exactly: Int64(bitPattern: target &- place)).map { UInt32(bitPattern: $0) }
    }
    guard let site = displacement(entry.site, from: entry.address),
      let replacement = displacement(entry.replacement, from: entry.address &+ 4),
      let number = UInt16(exactly: entry.feature),
      let original = UInt8(exactly: entry.originalLength),
      let replaced = UInt8(exactly: entry.replacementLength)
    else { return nil }
    var bytes = [UInt8](repeating: 0, count: stride)
    func store(_ value: some FixedWidthInteger, at offset: Int) {
      withUnsafeBytes(of: value.littleEndian) { source in
        for (index, byte) in source.enumerated() { bytes[offset + index] = byte }
      }
    }
    store(site, at: 0)
    store(replacement, at: 4)
    let flag: UInt16 = (entry.negated ? 1 : 0) | (entry.directCall ? 2 : 0)
    store(flags == nil && entry.negated ? number | 0x8000 : number, at: 8)
    if let flags { store(flag, at: flags) }
    bytes[lengths] = original
    bytes[lengths + 1] = replaced
    return bytes
  }
}
