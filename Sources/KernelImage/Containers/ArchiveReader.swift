internal import CArchive

/// Owns a libarchive reader (`struct archive`) and the source it reads from.
///
/// Only compressions that libarchive handles itself are allowed: where it was built without a
/// library it would start a program instead, and that never happens here.
struct ArchiveReader: ~Copyable {
  /// An archive's member, before its contents.
  struct Entry {
    let path: String
    /// The size that the archive states; nil if it states none.
    let size: Int?
    let isRegularFile: Bool
  }

  /// A piece of a member: its bytes, valid until the next call, and where they belong.
  struct Block {
    let bytes: UnsafeRawBufferPointer
    let offset: Int
  }

  struct Formats: OptionSet {
    let rawValue: Int
    static let ar = Formats(rawValue: 1)
    static let tar = Formats(rawValue: 2)
    static let cpio = Formats(rawValue: 4)
    /// Any bytes as one member: what a compression of a single file needs.
    static let raw = Formats(rawValue: 8)
  }

  /// Every compression that libarchive takes off inside this process, and the wrapper of RPM.
  static let everyFilter: [Int32] = [
    ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_BZIP2, ARCHIVE_FILTER_COMPRESS, ARCHIVE_FILTER_LZMA,
    ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_LZIP, ARCHIVE_FILTER_LZ4, ARCHIVE_FILTER_ZSTD,
    ARCHIVE_FILTER_RPM,
  ]

  /// AE_IFREG, a macro with a cast in it, which Swift does not import.
  private static let regularFile: UInt32 = 0o100000

  private let handle: OpaquePointer
  private let feed: Feed

  /// Opens what `source` gives, allowing the given layers only.
  init(
    _ source: any ByteSource, formats: Formats, filters: [Int32] = everyFilter
  ) throws(ImageError) {
    guard let handle = archive_read_new() else {
      throw ImageError(.failedLibrary, "libarchive has no memory")
    }
    let feed = Feed(source)
    do {
      try Self.allow(formats, filters, on: handle)
      try Self.open(handle, feed)
    } catch {
      archive_read_free(handle)
      throw error
    }
    self.handle = handle
    self.feed = feed
  }

  deinit { archive_read_free(handle) }

  private static func allow(
    _ formats: Formats, _ filters: [Int32], on handle: OpaquePointer
  ) throws(ImageError) {
    var results: [Int32] = []
    if formats.contains(.ar) { results.append(archive_read_support_format_ar(handle)) }
    if formats.contains(.tar) { results.append(archive_read_support_format_tar(handle)) }
    if formats.contains(.cpio) { results.append(archive_read_support_format_cpio(handle)) }
    if formats.contains(.raw) { results.append(archive_read_support_format_raw(handle)) }
    for filter in filters where canFilter(filter) {
      results.append(support(filter, on: handle))
    }
    guard results.allSatisfy({ $0 == ARCHIVE_OK }) else {
      throw ImageError(.failedLibrary, "libarchive: \(text(handle))")
    }
  }

  /// Whether this build of libarchive takes `filter` off without starting a program.
  ///
  /// ARCHIVE_WARN says that it would start one, but only once it is allowed to: so a reader that
  /// reads nothing is asked.
  static func canFilter(_ filter: Int32) -> Bool {
    guard let handle = archive_read_new() else { return false }
    defer { archive_read_free(handle) }
    return support(filter, on: handle) == ARCHIVE_OK
  }

  private static func support(_ filter: Int32, on handle: OpaquePointer) -> Int32 {
    switch filter {
    case ARCHIVE_FILTER_GZIP: archive_read_support_filter_gzip(handle)
    case ARCHIVE_FILTER_BZIP2: archive_read_support_filter_bzip2(handle)
    case ARCHIVE_FILTER_COMPRESS: archive_read_support_filter_compress(handle)
    case ARCHIVE_FILTER_LZMA: archive_read_support_filter_lzma(handle)
    case ARCHIVE_FILTER_XZ: archive_read_support_filter_xz(handle)
    case ARCHIVE_FILTER_LZIP: archive_read_support_filter_lzip(handle)
    case ARCHIVE_FILTER_LZ4: archive_read_support_filter_lz4(handle)
    case ARCHIVE_FILTER_ZSTD: archive_read_support_filter_zstd(handle)
    case ARCHIVE_FILTER_RPM: archive_read_support_filter_rpm(handle)
    default: ARCHIVE_FAILED
    }
  }

  private static func open(_ handle: OpaquePointer, _ feed: Feed) throws(ImageError) {
    let result = archive_read_open(
      handle, Unmanaged.passUnretained(feed).toOpaque(), nil,
      { _, client, buffer in
        guard let client, let buffer else { return -1 }
        return Unmanaged<Feed>.fromOpaque(client).takeUnretainedValue().next(&buffer.pointee)
      }, nil)
    guard result == ARCHIVE_OK else { throw failure(handle, feed) }
  }

  /// The next member; nil at the end.
  mutating func next() throws(ImageError) -> Entry? {
    var entry: OpaquePointer?
    switch archive_read_next_header(handle, &entry) {
    case ARCHIVE_EOF: return nil
    case ARCHIVE_OK, ARCHIVE_WARN: break
    default: throw Self.failure(handle, feed)
    }
    guard let entry else { throw Self.failure(handle, feed) }
    // A name that the locale cannot show is nil here; no name of interest is one.
    let path = (archive_entry_pathname(entry) ?? archive_entry_pathname_utf8(entry))
      .map { String(cString: $0) }
    return Entry(
      path: path ?? "",
      size: archive_entry_size_is_set(entry) != 0
        ? Int(exactly: archive_entry_size(entry)) : nil,
      isRegularFile: archive_entry_filetype(entry) == Self.regularFile
        && archive_entry_hardlink(entry) == nil)
  }

  /// The next piece of the current member; nil at its end.
  mutating func block() throws(ImageError) -> Block? {
    var start: UnsafeRawPointer?
    var size = 0
    var offset: la_int64_t = 0
    switch archive_read_data_block(handle, &start, &size, &offset) {
    case ARCHIVE_EOF: return nil
    case ARCHIVE_OK, ARCHIVE_WARN: break
    default: throw Self.failure(handle, feed)
    }
    guard let place = Int(exactly: offset), place >= 0 else {
      throw ImageError(.malformed, "a piece of a member lies at \(offset)", offset: position)
    }
    return Block(bytes: UnsafeRawBufferPointer(start: start, count: size), offset: place)
  }

  /// Whether the format that was recognised is a plain stream rather than an archive.
  var isRaw: Bool { archive_format(handle) == ARCHIVE_FORMAT_RAW }

  /// The archive format that was recognised.
  var formatName: String {
    switch archive_format(handle) & ARCHIVE_FORMAT_BASE_MASK {
    case ARCHIVE_FORMAT_TAR: "tar"
    case ARCHIVE_FORMAT_CPIO: "cpio"
    case ARCHIVE_FORMAT_AR: "ar"
    default: "archive"
    }
  }

  /// The compressions that were recognised, outermost first, as libarchive names them.
  var filterNames: [String] {
    // libarchive counts from the innermost one; the last is the source itself, named "none".
    (0..<archive_filter_count(handle)).reversed().compactMap { index in
      guard archive_filter_code(handle, index) != ARCHIVE_FILTER_NONE else { return nil }
      return archive_filter_name(handle, index).map { String(cString: $0) }
    }
  }

  /// How many bytes of the source were used up.
  var position: UInt64 { Self.position(handle) }

  /// How many bytes came out of the compression.
  var unpackedPosition: UInt64 { UInt64(clamping: archive_filter_bytes(handle, 0)) }

  private static func position(_ handle: OpaquePointer) -> UInt64 {
    UInt64(clamping: archive_filter_bytes(handle, -1))
  }

  private static func text(_ handle: OpaquePointer) -> String {
    // One line, whatever a file name in the message may hold.
    archive_error_string(handle).map {
      String(String(cString: $0).map { $0.isNewline ? " " : $0 })
    } ?? "error \(archive_errno(handle))"
  }

  private static func failure(_ handle: OpaquePointer, _ feed: Feed) -> ImageError {
    if let own = feed.failure { return own }
    // Only a reader that wanted more than there is saw the end of its source.
    let code: ImageError.Code = feed.reachedEnd ? .truncated : .malformed
    return ImageError(
      code, "cannot be unpacked (libarchive: \(text(handle)))", offset: position(handle))
  }
}

/// Hands a source's chunks to libarchive's read callback, and keeps what the callback cannot say.
private final class Feed {
  private let source: any ByteSource
  /// The error of the source itself, which explains libarchive's.
  private(set) var failure: ImageError?
  private(set) var reachedEnd = false

  init(_ source: any ByteSource) { self.source = source }

  /// The number of bytes in the next chunk, 0 at the end, -1 on failure (`archive_read_callback`).
  func next(_ start: inout UnsafeRawPointer?) -> Int {
    do {
      let chunk = try source.next()
      start = chunk.baseAddress
      if chunk.isEmpty { reachedEnd = true }
      return chunk.count
    } catch {
      failure = error
      return -1
    }
  }
}
