import Glibc
public import KernelImage
public import Mitigation

/// Why a mutant could not be written.
public struct MutantImageError: Error, Sendable, Hashable, CustomStringConvertible {
  public var description: String

  init(_ description: String) { self.description = description }
}

/// Writes mutants as images: the vmlinux with a few bytes changed.
public struct MutantImages: Sendable {
  /// Where to; made if it is not there.
  public var folder: String

  public init(folder: String) { self.folder = folder }

  /// Writes one image for each mutant, named by its id.
  ///
  /// - Throws: if the folder or a file cannot be written, or the file does not hold what a mutant
  ///   changes.
  public func write(
    _ mutants: some Swift.Sequence<Mutant>, of kernel: KernelImage
  ) throws(MutantImageError) {
    guard mkdir(folder, 0o777) == 0 || errno == EEXIST else { throw failure(folder) }
    let contents = kernel.fileContents
    for mutant in mutants {
      let bytes = mutant.changed.bytes
      guard
        let place = kernel.fileRange(at: mutant.address.value, count: bytes.count),
        place.upperBound <= contents.count
      else { throw MutantImageError("\(mutant.id): the file does not hold these bytes") }
      let path = "\(folder)/\(mutant.id).vmlinux"
      try write(contents, bytes, at: place.lowerBound, to: path)
    }
  }

  private func write(
    _ contents: UnsafeRawBufferPointer, _ change: [UInt8], at offset: Int, to path: String
  ) throws(MutantImageError) {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard file >= 0 else { throw failure(path) }
    var isWritten = Self.write(contents, at: 0, to: file)
    if isWritten { isWritten = change.withUnsafeBytes { Self.write($0, at: offset, to: file) } }
    // What the system could not store it says here at the latest.
    let error = failure(path)
    guard close(file) == 0 else { throw failure(path) }
    guard isWritten else { throw error }
  }

  private static func write(
    _ bytes: UnsafeRawBufferPointer, at offset: Int, to file: Int32
  ) -> Bool {
    var done = 0
    while done < bytes.count {
      let count = pwrite(
        file, bytes.baseAddress.map { $0 + done }, bytes.count - done, off_t(offset + done))
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return false }
      done += count
    }
    return true
  }

  private func failure(_ path: String) -> MutantImageError {
    MutantImageError("\(path): \(String(cString: strerror(errno)))")
  }
}
