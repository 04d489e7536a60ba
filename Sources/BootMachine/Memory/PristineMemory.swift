internal import CLinux
internal import Glibc
internal import Mitigation

/// The arena as it is before a path runs, shared by all machines of an image.
///
/// It lies in a memory file, so that each machine maps it privately: pages that nobody writes
/// exist once, and a page that a path wrote can be told from one it did not.
final class PristineMemory: Sendable {
  let map: AddressMap
  let descriptor: Int32
  // Mapped for reading only.
  nonisolated(unsafe) private let base: UnsafeMutableRawPointer

  /// Makes an arena and lets `build` say what is in it.
  init(
    map: AddressMap, build: (borrowing Writer) throws(MachineError) -> Void
  ) throws(MachineError) {
    let descriptor = bhb_memfd_create("bhbcheck", UInt32(MFD_CLOEXEC))
    guard descriptor >= 0 else {
      throw MachineError("memfd_create: \(String(cString: strerror(errno)))")
    }
    guard ftruncate(descriptor, map.size) == 0 else {
      close(descriptor)
      throw MachineError("ftruncate: \(String(cString: strerror(errno)))")
    }
    do throws(MachineError) {
      try build(Writer(map: map, descriptor: descriptor))
    } catch {
      close(descriptor)
      throw error
    }
    guard let base = mmap(nil, map.size, PROT_READ, MAP_SHARED, descriptor, 0), base != MAP_FAILED
    else {
      close(descriptor)
      throw MachineError("\(map.size) bytes of memory: \(String(cString: strerror(errno)))")
    }
    self.map = map
    self.descriptor = descriptor
    self.base = base
  }

  deinit {
    munmap(base, map.size)
    close(descriptor)
  }

  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: map.size) }

  /// Writes into an arena that nobody has mapped yet.
  ///
  /// By pwrite(): the kernel then copies into pages that it need not clear first and that no fault
  /// has to bring in, which halves the time.
  struct Writer: ~Copyable {
    let map: AddressMap
    fileprivate let descriptor: Int32

    /// Places `bytes` at a guest address.
    func place(_ bytes: UnsafeRawBufferPointer, at address: UInt64) throws(MachineError) {
      guard let offset = map.offset(of: address, count: bytes.count) else {
        throw MachineError("\(hexadecimal(address)) lies outside the image")
      }
      var done = 0
      while done < bytes.count {
        let count = pwrite(
          descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, off_t(offset + done))
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else {
          throw MachineError("\(map.size) bytes of memory: \(String(cString: strerror(errno)))")
        }
        done += count
      }
    }

    func place(_ bytes: [UInt8], at address: UInt64) throws(MachineError) {
      var failure: MachineError?
      bytes.withUnsafeBytes { bytes in
        do throws(MachineError) { try place(bytes, at: address) } catch { failure = error }
      }
      if let failure { throw failure }
    }
  }
}
