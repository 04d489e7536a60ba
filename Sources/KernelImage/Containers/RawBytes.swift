extension UnsafeRawBufferPointer {
  /// A big-endian number at `offset`; nil if it does not lie within the bytes.
  func bigEndianInteger<Number: FixedWidthInteger & BitwiseCopyable>(
    _ type: Number.Type, at offset: Int
  ) -> Number? {
    integer(type, at: offset)?.byteSwapped
  }

  /// Whether the bytes at `offset` are `expected`.
  func holds(_ expected: [UInt8], at offset: Int = 0) -> Bool {
    part(from: offset, count: expected.count)?.elementsEqual(expected) ?? false
  }

  /// The first bytes in hex, for messages about something unexpected.
  var beginning: String {
    prefix(8).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
  }
}
