internal import CArchive

/// The compressed kernel inside a boot image.
///
/// Unpacked, it is the ELF file of vmlinux and behind it the table of relocations for KASLR.
/// Source: arch/x86/boot/compressed/Makefile, scripts/Makefile.lib (`size_append`).
struct Payload {
  /// More than this no kernel unpacks to.
  static let largestKernel = 1 << 30

  let compression: Compression
  /// What goes to the decompressor: for all but gzip, the payload without its last four bytes.
  private let stream: UnsafeRawBufferPointer
  /// What the last four bytes say (for gzip its own trailer, ISIZE).
  let unpackedSize: Int

  /// - Parameters:
  ///   - bytes: the payload as the boot header places it.
  ///   - offset: where it lies in the file, for error messages.
  init(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(ImageError) {
    guard let compression = Compression(magicOf: bytes) else {
      throw ImageError(
        .unsupportedFormat,
        "the payload starts with no known compression's magic, but with \(bytes.beginning)",
        offset: UInt64(offset))
    }
    guard let size = bytes.integer(UInt32.self, at: bytes.count - 4), size > 0 else {
      throw ImageError(
        .malformed, "the payload states no unpacked size", offset: UInt64(offset + bytes.count))
    }
    guard size <= Self.largestKernel else {
      throw ImageError(
        .tooLarge,
        "the payload would unpack to \(size) bytes, at most \(Self.largestKernel) are taken",
        offset: UInt64(offset + bytes.count - 4))
    }
    self.compression = compression
    unpackedSize = Int(size)
    stream =
      compression == .gzip ? bytes : UnsafeRawBufferPointer(rebasing: bytes.dropLast(4))
  }

  /// Unpacks the kernel.
  func unpack() throws(ImageError) -> ImageBytes {
    var writer = try MemoryWriter(limit: unpackedSize, expected: unpackedSize)
    let fits =
      compression == .zstd
      ? try ZstdFrame(stream).unpack(into: &writer)
      : try compression.unpack(stream, into: &writer)
    guard fits else {
      throw ImageError(
        .malformed, "the payload unpacks to more than the \(unpackedSize) bytes it states",
        offset: UInt64(stream.count))
    }
    guard writer.count == unpackedSize else {
      throw ImageError(
        .malformed, "the payload unpacks to \(writer.count) bytes, but states \(unpackedSize)",
        offset: UInt64(stream.count))
    }
    return try writer.finish()
  }
}

extension Compression {
  /// libarchive's number; nil for LZO, which it takes off only by starting a program.
  private var filter: Int32? {
    switch self {
    case .gzip: ARCHIVE_FILTER_GZIP
    case .bzip2: ARCHIVE_FILTER_BZIP2
    case .lzma: ARCHIVE_FILTER_LZMA
    case .xz: ARCHIVE_FILTER_XZ
    case .lz4: ARCHIVE_FILTER_LZ4
    case .zstd: ARCHIVE_FILTER_ZSTD
    case .lzo: nil
    }
  }

  /// Unpacks `stream` into `writer`; false if that does not fit.
  func unpack(
    _ stream: UnsafeRawBufferPointer, into writer: inout MemoryWriter
  ) throws(ImageError) -> Bool {
    guard let filter else {
      var lzop = try Lzop(stream)
      return try lzop.unpack(into: &writer)
    }
    guard ArchiveReader.canFilter(filter) else {
      throw ImageError(.unsupportedFormat, "this machine's libarchive was built without \(self)")
    }
    var reader = try ArchiveReader(MemorySource(stream), formats: .raw, filters: [filter])
    guard try reader.next() != nil else {
      throw ImageError(.truncated, "holds nothing", offset: 0)
    }
    return try reader.copyMember(into: &writer)
  }
}

extension ArchiveReader {
  /// Copies the rest of the current member into `writer`; false if it does not fit.
  ///
  /// The decoder's own buffer is copied from: one copy, while it is still in the CPU's cache.
  mutating func copyMember(into writer: inout MemoryWriter) throws(ImageError) -> Bool {
    while let block = try block() {
      guard try writer.skip(to: block.offset), try writer.append(block.bytes) else { return false }
    }
    return true
  }
}
