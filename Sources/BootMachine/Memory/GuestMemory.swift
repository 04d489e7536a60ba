internal import Glibc

/// The memory of one machine: a private copy of the arena, page by page as it is written.
struct GuestMemory: ~Copyable {
  let pristine: PristineMemory
  /// Patches, which stay when memory is put back.
  let overlay = PatchOverlay()
  private let base: UnsafeMutableRawPointer
  /// /proc/self/pagemap, or -1 where it cannot be read.
  private let pagemap: Int32
  private let flags: UnsafeMutablePointer<UInt64>

  init(_ pristine: PristineMemory) throws(MachineError) {
    let size = pristine.map.size
    guard
      let base = mmap(
        nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, pristine.descriptor, 0),
      base != MAP_FAILED
    else { throw MachineError("\(size) bytes of memory: \(String(cString: strerror(errno)))") }
    self.pristine = pristine
    self.base = base
    pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)
    flags = .allocate(capacity: size / AddressMap.pageSize)
  }

  deinit {
    munmap(base, pristine.map.size)
    if pagemap >= 0 { close(pagemap) }
    flags.deallocate()
  }

  var map: AddressMap { pristine.map }

  /// The host memory behind an area.
  func host(_ area: AddressMap.Area) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: base + area.offset, count: area.size)
  }

  /// The whole arena, for hooks that look into guest memory.
  var arena: UnsafeMutableRawPointer { base }

  func read<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type, at address: UInt64) -> T? {
    guard let offset = map.offset(of: address, count: MemoryLayout<T>.size) else { return nil }
    return base.loadUnaligned(fromByteOffset: offset, as: type)
  }

  func bytes(at address: UInt64, count: Int) -> UnsafeRawBufferPointer? {
    guard let offset = map.offset(of: address, count: count) else { return nil }
    return UnsafeRawBufferPointer(start: base + offset, count: count)
  }

  func write<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at address: UInt64) -> Bool {
    guard let offset = map.offset(of: address, count: MemoryLayout<T>.size) else { return false }
    base.storeBytes(of: value, toByteOffset: offset, as: T.self)
    return true
  }

  func write(_ bytes: some Collection<UInt8>, at address: UInt64) -> Bool {
    guard let offset = map.offset(of: address, count: bytes.count) else { return false }
    UnsafeMutableRawBufferPointer(start: base + offset, count: bytes.count).copyBytes(from: bytes)
    return true
  }

  /// Puts back every page that differs from the pristine arena.
  ///
  /// `codeChanged` hears the guest range of bytes that were put back, so that translations of
  /// them can be discarded.
  func restore(codeChanged: (Range<UInt64>) -> Void) {
    let pages = map.size / AddressMap.pageSize
    let known = readFlags(pages: pages)
    for page in 0..<pages {
      if known && !Self.mayBePrivate(flags[page]) { continue }
      restore(page: page, codeChanged: codeChanged)
    }
    // Nobody has written to them yet where a patch is new.
    for page in overlay.pages { restore(page: page, codeChanged: codeChanged) }
  }

  private func restore(page: Int, codeChanged: (Range<UInt64>) -> Void) {
    if let patched = overlay.contents(of: page) {
      patched.withUnsafeBytes { restore(page: page, to: $0.baseAddress, codeChanged) }
    } else {
      let original = pristine.bytes.baseAddress.map { $0 + page * AddressMap.pageSize }
      restore(page: page, to: original, codeChanged)
    }
  }

  private func restore(
    page: Int, to original: UnsafeRawPointer?, _ codeChanged: (Range<UInt64>) -> Void
  ) {
    let size = AddressMap.pageSize
    let offset = page * size
    guard let theirs = original else { return }
    let mine = base + offset
    guard memcmp(mine, theirs, size) != 0 else { return }
    var first = 0
    while mine.loadUnaligned(fromByteOffset: first, as: UInt64.self)
      == theirs.loadUnaligned(fromByteOffset: first, as: UInt64.self)
    { first += 8 }
    var last = size
    while mine.loadUnaligned(fromByteOffset: last - 8, as: UInt64.self)
      == theirs.loadUnaligned(fromByteOffset: last - 8, as: UInt64.self)
    { last -= 8 }
    memcpy(mine + first, theirs + first, last - first)
    if let guest = map.guestAddress(of: offset) {
      codeChanged(guest + UInt64(first)..<guest + UInt64(last))
    }
  }

  /// The words of an area that differ from the pristine arena, in ascending order of address.
  func changedWords(
    in area: AddressMap.Area
  ) -> [(address: UInt64, value: UInt32, original: UInt32)] {
    let pages = map.size / AddressMap.pageSize
    let known = readFlags(pages: pages)
    guard let original = pristine.bytes.baseAddress else { return [] }
    var words: [(address: UInt64, value: UInt32, original: UInt32)] = []
    let first = area.offset / AddressMap.pageSize
    for page in first..<first + area.size / AddressMap.pageSize {
      if known && !Self.mayBePrivate(flags[page]) { continue }
      let start = page * AddressMap.pageSize
      guard memcmp(base + start, original + start, AddressMap.pageSize) != 0 else { continue }
      for offset in stride(from: start, to: start + AddressMap.pageSize, by: 4) {
        let value = base.load(fromByteOffset: offset, as: UInt32.self)
        let before = original.load(fromByteOffset: offset, as: UInt32.self)
        guard value != before else { continue }
        words.append((area.guest + UInt64(offset - area.offset), value, before))
      }
    }
    return words
  }

  /// Reads the flags of all pages; false where the system does not show them.
  private func readFlags(pages: Int) -> Bool {
    guard pagemap >= 0 else { return false }
    let start = Int(bitPattern: base) / AddressMap.pageSize * MemoryLayout<UInt64>.size
    let wanted = pages * MemoryLayout<UInt64>.size
    return pread(pagemap, flags, wanted, off_t(start)) == wanted
  }

  /// Whether a page may be a private copy: present or swapped, and not the shared file's page
  /// (Documentation/admin-guide/mm/pagemap.rst: bits 63, 62 and 61).
  private static func mayBePrivate(_ flags: UInt64) -> Bool {
    flags >> 62 != 0 && flags >> 61 & 1 == 0
  }
}
