import CArchive

/// Takes gzip off a small text in memory, through libarchive.
enum Gzip {
  /// The unpacked bytes; nil if they are damaged, empty, or more than `limit`.
  static func unpack(_ bytes: UnsafeRawBufferPointer, limit: Int) -> Artefact.Contents? {
    guard let archive = archive_read_new() else { return nil }
    defer { archive_read_free(archive) }
    var entry: OpaquePointer?
    guard archive_read_support_filter_gzip(archive) == ARCHIVE_OK,
      archive_read_support_format_raw(archive) == ARCHIVE_OK,
      archive_read_open_memory(archive, bytes.baseAddress, bytes.count) == ARCHIVE_OK,
      archive_read_next_header(archive, &entry) == ARCHIVE_OK,
      // Without this, bytes that are no gzip come out as they went in.
      archive_filter_code(archive, 0) == ARCHIVE_FILTER_GZIP
    else { return nil }
    let unpacked = try? ImageBytes.filling(capacity: limit + 1) { buffer throws(ImageError) in
      var used = 0
      while used < buffer.count {
        let count = archive_read_data(
          archive, buffer.baseAddress.map { $0 + used }, buffer.count - used)
        guard count >= 0 else { throw ImageError(.malformed, "is damaged gzip") }
        if count == 0 { break }
        used += count
      }
      guard used > 0, used <= limit else { throw ImageError(.tooLarge, "is larger than \(limit)") }
      return used
    }
    // libarchive does not compare the size that ends a gzip stream (RFC 1952, ISIZE).
    guard let unpacked,
      bytes.integer(UInt32.self, at: bytes.count - 4) == UInt32(exactly: unpacked.count)
    else { return nil }
    return Artefact.Contents(unpacked)
  }
}
