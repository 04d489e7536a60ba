internal import Glibc

/// Where an archive's bytes come from, chunk by chunk.
///
/// A chunk stays valid until the next one is asked for. Tests put in sources that fail midway.
protocol ByteSource: AnyObject {
  /// The next bytes; an empty chunk at the end.
  func next() throws(ImageError) -> UnsafeRawBufferPointer
}

/// Bytes in memory, handed over in one piece without a copy.
///
/// Its user keeps the memory alive.
final class MemorySource: ByteSource {
  private var rest: UnsafeRawBufferPointer

  init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

  func next() -> UnsafeRawBufferPointer {
    defer { rest = UnsafeRawBufferPointer(start: nil, count: 0) }
    return rest
  }
}

/// The current member of an archive: the tar file inside a .deb.
final class MemberSource: ByteSource {
  private var outer: ArchiveReader

  init(_ outer: consuming ArchiveReader) { self.outer = outer }

  func next() throws(ImageError) -> UnsafeRawBufferPointer {
    // An empty block is no end for libarchive, but would be one here.
    while let block = try outer.block() {
      if !block.bytes.isEmpty { return block.bytes }
    }
    return UnsafeRawBufferPointer(start: nil, count: 0)
  }
}
