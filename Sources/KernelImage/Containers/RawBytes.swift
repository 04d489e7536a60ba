extension UnsafeRawBufferPointer {
  /// A little-endian number at `offset`; nil if it does not lie within the bytes.
  func number<Number: FixedWidthInteger & BitwiseCopyable>(
    _ type: Number.Type, at offset: Int
  ) -> Number? {
    guard offset >= 0, offset <= count - MemoryLayout<Number>.size else { return nil }
    return Number(littleEndian: loadUnaligned(fromByteOffset: offset, as: type))
  }

  /// A big-endian number at `offset`; nil if it does not lie within the bytes.
  func bigEndianNumber<Number: FixedWidthInteger & BitwiseCopyable>(
    _ type: Number.Type, at offset: Int
  ) -> Number? {
    number(type, at: offset)?.byteSwapped
  }

  /// `size` bytes from `offset` on, without a copy; nil if they do not lie within the bytes.
  func part(at offset: Int, size: Int) -> UnsafeRawBufferPointer? {
    guard offset >= 0, size >= 0, offset <= count, size <= count - offset else { return nil }
    return UnsafeRawBufferPointer(rebasing: self[offset..<offset + size])
  }

  /// Whether the bytes at `offset` are `expected`.
  func holds(_ expected: [UInt8], at offset: Int = 0) -> Bool {
    part(at: offset, size: expected.count)?.elementsEqual(expected) ?? false
  }
}
