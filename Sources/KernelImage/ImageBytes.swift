#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The bytes of one file, in memory that is mapped once and unmapped when its owner goes away.
///
/// Either a private mapping of a file, never read whole, or anonymous memory that a decompressor
/// filled. Always page-aligned.
public struct ImageBytes: ~Copyable, @unchecked Sendable {
  // Immutable after initialisation: that is what makes sharing it between threads sound.
  private let base: UnsafeMutableRawPointer?
  private let mapped: Int

  /// The number of bytes that belong to the file.
  public let count: Int
  /// The file that is mapped; nil for memory of our own.
  private let file: File?

  private struct File {
    let descriptor: Int32
    let modified: timespec
    let watch: MappingGuard.Watch
  }

  private init(base: UnsafeMutableRawPointer?, mapped: Int, count: Int, file: File? = nil) {
    self.base = base
    self.mapped = mapped
    self.count = count
    self.file = file
  }

  /// Takes over `mapped` bytes of a mapping, `count` of which belong to the file.
  init(adopting base: UnsafeMutableRawPointer, mapped: Int, count: Int) {
    self.init(base: base, mapped: mapped, count: count)
  }

  deinit {
    if let file {
      MappingGuard.end(file.watch)
      close(file.descriptor)
    }
    if let base { munmap(base, mapped) }
  }

  /// The bytes. Valid only while this value is alive.
  public var raw: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

  /// Maps a regular file.
  public static func mapping(path: String) throws(ImageError) -> ImageBytes {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .system(errno, "cannot be opened") }
    do {
      return try mapping(descriptor)
    } catch {
      close(descriptor)
      throw error
    }
  }

  /// Takes `descriptor` over if it succeeds.
  private static func mapping(_ descriptor: Int32) throws(ImageError) -> ImageBytes {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .system(errno, "cannot be examined") }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw ImageError(.unreadable, "is not a regular file")
    }
    guard let size = Int(exactly: status.st_size), size > 0 else {
      throw ImageError(.truncated, "is empty", offset: 0)
    }
    guard let base = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED
    else { throw .system(errno, "cannot be mapped") }
    guard let watch = MappingGuard.watch(base, count: size) else {
      munmap(base, size)
      throw ImageError(.unreadable, "is one of more than \(MappingGuard.capacity) files at a time")
    }
    return ImageBytes(
      base: base, mapped: size, count: size,
      file: File(descriptor: descriptor, modified: status.st_mtim, watch: watch))
  }

  /// Requires that the bytes are still those that the file had when it was mapped.
  ///
  /// Whoever read them asks afterwards: a file that was cut off or written to meanwhile may have
  /// shown some of each. Always true of memory that is no file's. Error: `unreadable`.
  public func requireUnchanged() throws(ImageError) {
    guard let file else { return }
    var status = stat()
    guard fstat(file.descriptor, &status) == 0 else { throw .system(errno, "cannot be examined") }
    guard Int(exactly: status.st_size) == count else {
      throw ImageError(
        .unreadable, "had \(count) bytes, and \(status.st_size) by the time it was read")
    }
    guard status.st_mtim.tv_sec == file.modified.tv_sec,
      status.st_mtim.tv_nsec == file.modified.tv_nsec
    else { throw ImageError(.unreadable, "was written to while it was read") }
    guard !MappingGuard.wasTorn(file.watch) else { throw .system(EIO, "cannot be read whole") }
  }

  /// Memory of `capacity` bytes that `fill` writes; `fill` returns how many of them it used.
  public static func filling(
    capacity: Int, _ fill: (UnsafeMutableRawBufferPointer) throws(ImageError) -> Int
  ) throws(ImageError) -> ImageBytes {
    guard capacity > 0 else { throw ImageError(.truncated, "is empty", offset: 0) }
    guard
      let base = mmap(
        nil, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
      base != MAP_FAILED
    else { throw .system(errno, "needs \(capacity) bytes of memory") }
    do {
      let used = try fill(UnsafeMutableRawBufferPointer(start: base, count: capacity))
      precondition(used >= 0 && used <= capacity, "a decompressor wrote past its buffer")
      return ImageBytes(base: base, mapped: capacity, count: used)
    } catch {
      munmap(base, capacity)
      throw error
    }
  }

  /// A copy of bytes that are already in memory.
  public static func copying(_ bytes: UnsafeRawBufferPointer) throws(ImageError) -> ImageBytes {
    try filling(capacity: bytes.count) { buffer in
      buffer.copyMemory(from: bytes)
      return bytes.count
    }
  }
}

extension ImageError {
  /// An error of a system call: errno and what could not be done.
  static func system(_ code: Int32, _ what: String) -> ImageError {
    let reason = String(cString: strerror(code))
    let kind: Code =
      switch code {
      case ENOENT, ENOTDIR: .notFound
      case EACCES, EPERM: .noPermission
      default: .unreadable
      }
    return ImageError(kind, "\(what): \(reason)")
  }
}
