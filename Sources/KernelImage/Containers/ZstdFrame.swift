internal import CZstd

/// A zstd frame that lies in memory as a whole, and is unpacked to where it is wanted.
///
/// The kernel's build asks for a window of 128 MiB. A stream has to keep that much beside what it
/// hands out; where all of the result lies in one piece, the result is the window.
struct ZstdFrame {
  private let frame: UnsafeRawBufferPointer

  /// - Parameter stream: the frame, and what may follow it: the kernel passes over that as well
  ///   (lib/decompress_unzstd.c).
  init(_ stream: UnsafeRawBufferPointer) throws(ImageError) {
    let size = ZSTD_findFrameCompressedSize(stream.baseAddress, stream.count)
    guard ZSTD_isError(size) == 0 else { throw Self.failure(size, in: stream) }
    frame = UnsafeRawBufferPointer(rebasing: stream.prefix(size))
  }

  /// Unpacks into what is left of `writer`; false if it does not fit.
  func unpack(into writer: inout MemoryWriter) throws(ImageError) -> Bool {
    guard let room = try writer.room(for: writer.limit - writer.count) else { return false }
    let size = ZSTD_decompress(room.baseAddress, room.count, frame.baseAddress, frame.count)
    if ZSTD_getErrorCode(size) == ZSTD_error_dstSize_tooSmall { return false }
    guard ZSTD_isError(size) == 0 else { throw Self.failure(size, in: frame) }
    writer.keep(size)
    return true
  }

  private static func failure(_ result: Int, in stream: UnsafeRawBufferPointer) -> ImageError {
    let reason = "libzstd: \(String(cString: ZSTD_getErrorName(result)))"
    return ZSTD_getErrorCode(result) == ZSTD_error_srcSize_wrong
      ? ImageError(.truncated, reason, offset: UInt64(stream.count))
      : ImageError(.malformed, reason, offset: 0)
  }
}
