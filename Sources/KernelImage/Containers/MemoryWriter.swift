internal import Glibc

/// Anonymous memory that a decompressor fills from the front, and that becomes an `ImageBytes`.
///
/// Address space for `limit` bytes is reserved at once and made writable piece by piece, so a
/// stream of unknown length costs what it holds, its bytes never move, and nothing grows past
/// the limit.
struct MemoryWriter: ~Copyable {
  private let base: UnsafeMutableRawPointer
  private let reserved: Int
  private var writable = 0
  private let expected: Int
  /// The number of bytes written so far.
  private(set) var count = 0
  /// The most bytes that fit.
  let limit: Int

  /// A huge page of x86-64; the kernel gives one only where this much lies in one mapping.
  private static let step = 2 << 20

  /// - Parameter expected: how many bytes will probably come; no more than `limit` counts.
  init(limit: Int, expected: Int = 0) throws(ImageError) {
    guard limit > 0 else { throw ImageError(.truncated, "is empty", offset: 0) }
    guard let reserved = Self.rounded(limit),
      let base = mmap(nil, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      base != MAP_FAILED
    else { throw .system(errno, "needs \(limit) bytes of memory") }
    // Faulting in a large image page by page costs a tenth of its decompression. This is a wish:
    // a kernel without huge pages refuses it, and nothing depends on it.
    _ = madvise(base, reserved, MADV_HUGEPAGE)
    self.base = base
    self.reserved = reserved
    self.limit = limit
    self.expected = min(max(expected, 0), reserved)
  }

  deinit { munmap(base, reserved) }

  private static func rounded(_ size: Int) -> Int? {
    let (sum, overflow) = size.addingReportingOverflow(step - 1)
    return overflow ? nil : sum / step * step
  }

  private mutating func makeWritable(upTo end: Int) throws(ImageError) {
    guard end > writable, let wanted = Self.rounded(end) else { return }
    // Doubling keeps the number of system calls small.
    let target = min(max(wanted, Self.rounded(expected) ?? 0, writable * 2), reserved)
    guard mprotect(base + writable, target - writable, PROT_READ | PROT_WRITE) == 0 else {
      throw .system(errno, "needs \(target) bytes of memory")
    }
    writable = target
  }

  /// Room for exactly `size` more bytes, to be written by the caller and then kept by
  /// `keep(_:)`; nil if they do not fit under the limit.
  mutating func room(for size: Int) throws(ImageError) -> UnsafeMutableRawBufferPointer? {
    guard size >= 0, size <= limit - count else { return nil }
    try makeWritable(upTo: count + size)
    return UnsafeMutableRawBufferPointer(start: base + count, count: size)
  }

  /// Counts `size` bytes of the room that was asked for last as written.
  mutating func keep(_ size: Int) {
    precondition(size >= 0 && size <= writable - count, "a decompressor wrote past its buffer")
    count += size
  }

  /// Appends `bytes`; false if they do not fit under the limit.
  mutating func append(_ bytes: UnsafeRawBufferPointer) throws(ImageError) -> Bool {
    guard let room = try room(for: bytes.count) else { return false }
    room.copyMemory(from: bytes)
    keep(bytes.count)
    return true
  }

  /// Appends zeros until `offset` is reached (a hole of a sparse member); false if that is behind
  /// what was written, or past the limit.
  mutating func skip(to offset: Int) throws(ImageError) -> Bool {
    // Fresh anonymous memory reads as zeros.
    guard offset >= count, try room(for: offset - count) != nil else { return false }
    keep(offset - count)
    return true
  }

  /// What was written, read-only from now on.
  consuming func finish() throws(ImageError) -> ImageBytes {
    guard count > 0 else {
      _ = consume self
      throw ImageError(.truncated, "is empty", offset: 0)
    }
    guard mprotect(base, writable, PROT_READ) == 0 else {
      let code = errno
      _ = consume self
      throw .system(code, "cannot be write-protected")
    }
    let (base, reserved, count) = (base, reserved, count)
    discard self
    return ImageBytes(adopting: base, mapped: reserved, count: count)
  }
}
