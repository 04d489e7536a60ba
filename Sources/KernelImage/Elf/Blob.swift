import Glibc

/// A part of a member's bytes that keeps them alive.
///
/// The bounds were verified when it was made. The pointers it hands out are valid as long as any
/// owner of the contents is.
struct Blob: Sendable {
  let owner: Artefact.Contents
  let range: Range<Int>

  init(_ owner: Artefact.Contents) {
    self.owner = owner
    range = 0..<owner.bytes.count
  }

  /// A part of the file; nil if the file does not hold all of it.
  init?(_ owner: Artefact.Contents, offset: Int, count: Int) {
    let (end, overflow) = offset.addingReportingOverflow(count)
    guard offset >= 0, count >= 0, !overflow, end <= owner.bytes.count else { return nil }
    self.owner = owner
    range = offset..<end
  }

  var count: Int { range.count }
  var raw: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: owner.bytes.raw[range]) }
}

extension UnsafeRawBufferPointer {
  /// A little-endian integer at a byte offset; nil if it does not lie inside.
  func integer<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type, at offset: Int) -> T? {
    guard offset >= 0, offset <= count - MemoryLayout<T>.size else { return nil }
    return T(littleEndian: loadUnaligned(fromByteOffset: offset, as: T.self))
  }

  /// A part that lies inside; nil otherwise.
  func part(from offset: Int, count length: Int) -> UnsafeRawBufferPointer? {
    guard offset >= 0, length >= 0, offset <= count, length <= count - offset else { return nil }
    return UnsafeRawBufferPointer(rebasing: self[offset..<offset + length])
  }

  /// Where `bytes` first occur at or after `start`.
  func firstOffset(of bytes: [UInt8], from start: Int) -> Int? {
    guard start >= 0, let first = bytes.first, let base = baseAddress else { return nil }
    var position = start
    while position <= count - bytes.count {
      let rest = count - bytes.count + 1 - position
      guard let found = memchr(base + position, Int32(first), rest) else { return nil }
      position = UnsafeRawPointer(found) - base
      if memcmp(found, bytes, bytes.count) == 0 { return position }
      position += 1
    }
    return nil
  }
}
