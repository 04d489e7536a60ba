/// The bytes of an image by the addresses they are loaded at.
struct AddressSpace: Sendable {
  let contents: Artefact.Contents
  let segments: [Segment]

  /// The bytes from `address` on; nil unless the file holds all of them in one segment.
  func bytes(at address: UInt64, count: Int) -> UnsafeRawBufferPointer? {
    fileRange(at: address, count: count)
      .flatMap { contents.bytes.raw.part(from: $0.lowerBound, count: $0.count) }
  }

  /// Where in the file the bytes from `address` on lie.
  func fileRange(at address: UInt64, count: Int) -> Range<Int>? {
    guard count >= 0 else { return nil }
    for segment in segments where segment.backed.contains(address) {
      let offset = Int(address - segment.address)
      guard count <= segment.fileSize - offset else { continue }
      return segment.fileOffset + offset..<segment.fileOffset + offset + count
    }
    return nil
  }

  func read<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type, at address: UInt64) -> T? {
    bytes(at: address, count: MemoryLayout<T>.size)?.integer(T.self, at: 0)
  }

  /// The bytes from `address` up to a zero byte; nil unless there is one within `limit` bytes.
  func text(at address: UInt64, limit: Int) -> UnsafeRawBufferPointer? {
    guard let segment = segments.first(where: { $0.backed.contains(address) }) else { return nil }
    let available = min(limit, segment.fileSize - Int(address - segment.address))
    guard let bytes = bytes(at: address, count: available), let length = bytes.firstIndex(of: 0)
    else { return nil }
    return UnsafeRawBufferPointer(rebasing: bytes[..<length])
  }

  /// The address of a byte of the file; nil if it is not loaded.
  func address(ofFileOffset offset: Int) -> UInt64? {
    segments
      .first { $0.fileOffset <= offset && offset - $0.fileOffset < $0.fileSize }
      .map { $0.address + UInt64(offset - $0.fileOffset) }
  }

  /// Whether an address lies in a segment, in its file-backed part or in its zeros, or at its end.
  func holds(_ address: UInt64) -> Bool {
    segments.contains { $0.address <= address && address <= $0.addresses.upperBound }
  }
}
