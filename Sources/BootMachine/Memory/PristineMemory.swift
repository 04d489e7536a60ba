internal import CLinux
internal import Glibc

/// The arena as it is before a path runs, shared by all machines of an image.
///
/// It lies in a memory file, so that each machine maps it privately: pages that nobody writes
/// exist once, and a page that a path wrote can be told from one it did not.
final class PristineMemory: Sendable {
  let map: AddressMap
  let descriptor: Int32
  // Written by `build` only, before anyone else sees the object.
  nonisolated(unsafe) private let base: UnsafeMutableRawPointer

  /// Makes an arena and lets `build` write what is in it.
  init(
    map: AddressMap, build: (UnsafeMutableRawBufferPointer) throws(MachineError) -> Void
  ) throws(MachineError) {
    let descriptor = bhb_memfd_create("bhbcheck", UInt32(MFD_CLOEXEC))
    guard descriptor >= 0 else {
      throw MachineError("memfd_create: \(String(cString: strerror(errno)))")
    }
    guard ftruncate(descriptor, map.size) == 0 else {
      close(descriptor)
      throw MachineError("ftruncate: \(String(cString: strerror(errno)))")
    }
    guard
      let base = mmap(nil, map.size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0),
      base != MAP_FAILED
    else {
      close(descriptor)
      throw MachineError("\(map.size) bytes of memory: \(String(cString: strerror(errno)))")
    }
    do throws(MachineError) {
      try build(UnsafeMutableRawBufferPointer(start: base, count: map.size))
    } catch {
      munmap(base, map.size)
      close(descriptor)
      throw error
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
}
