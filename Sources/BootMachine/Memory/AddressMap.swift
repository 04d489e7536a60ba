/// Where things lie in the guest's address space and in the arena that backs it.
///
/// The arena is one run of host memory: the image first, then the areas the machine adds.
struct AddressMap: Sendable {
  struct Area: Sendable {
    var guest: UInt64
    var offset: Int
    var size: Int

    var guestRange: Range<UInt64> { guest..<guest + UInt64(size) }
  }

  static let pageSize = 4096

  /// The image, from its lowest segment to the end of its highest one.
  let image: Area
  /// One page of HLT: the return address of every call the machine makes.
  let stop: Area
  let descriptors: Area
  let stack: Area
  /// Where functions that fill a page (cpu_show_*) write, and pt_regs for the fixup code.
  let page: Area
  /// The kernel's fixmap: old kernels read the local APIC's page through it on AMD.
  let fixmap: Area
  /// Where sites of modules are laid out, at the end of the space that modules load into.
  let modules: Area
  /// What code that runs behind the boot needs; nil where none does.
  let host: HostAreas?

  let size: Int

  /// What KVM needs while it starts and while it is asked.
  struct HostAreas: Sendable {
    /// Code that stands in for functions of the kernel, and the allocators' cursor at its end.
    let helpers: Area
    /// Memory to hand out, in the kernel's direct map.
    let pool: Area
    /// The `struct page` of each page of the pool.
    let pages: Area
    /// A user's memory, for ioctls.
    let user: Area

    var all: [Area] { [helpers, pool, pages, user] }
    /// Where the next free address of the pool stands.
    var cursor: UInt64 { helpers.guest + UInt64(helpers.size) - 8 }
    /// Where a command line stands that is taken apart.
    var arguments: UInt64 { user.guest + UInt64(user.size) - 4096 }
  }

  /// The direct map of all memory, and the array of `struct page`, as they are before they are moved
  /// at random, with four levels of page tables: page_offset_base and vmemmap_base
  /// (Documentation/arch/x86/x86_64/mm.rst).
  static let directMap: UInt64 = 0xffff_8880_0000_0000
  static let pageMap: UInt64 = 0xffff_ea00_0000_0000
  /// sizeof(struct page).
  static let pageRecord: UInt64 = 64

  /// - Parameters:
  ///   - imageStart: the lowest address of a segment, page-aligned.
  ///   - imageSize: in bytes, page-aligned.
  ///   - hostsGuests: whether KVM is to run.
  init(imageStart: UInt64, imageSize: Int, hostsGuests: Bool = false) {
    var offset = 0
    func area(_ guest: UInt64, _ size: Int) -> Area {
      defer { offset += size }
      return Area(guest: guest, offset: offset, size: size)
    }
    image = area(imageStart, imageSize)
    stop = area(0xffff_9000_0000_0000, Self.pageSize)
    descriptors = area(0xffff_9200_0000_0000, Self.pageSize)
    stack = area(0xffff_9100_0000_0000, 0x40000)
    page = area(0xffff_9300_0000_0000, 2 * Self.pageSize)
    // FIXADDR_START of a kernel with the largest fixmap seen, up to the vsyscall page
    // (arch/x86/include/asm/fixmap.h).
    fixmap = area(0xffff_ffff_ff57_8000, 0x88000)
    // Below MODULES_END, in reach of calls into the kernel (arch/x86/include/asm/pgtable_64_types.h).
    modules = area(0xffff_ffff_f000_0000, Self.pageSize)
    if hostsGuests {
      // 16 MiB from 16 MiB on: no kernel needs more than a fraction of it while KVM starts.
      let start: UInt64 = 16 << 20
      let bytes = 16 << 20
      let pageSize = UInt64(Self.pageSize)
      host = HostAreas(
        helpers: area(0xffff_9400_0000_0000, 4 * Self.pageSize),
        pool: area(Self.directMap + start, bytes),
        pages: area(
          Self.pageMap + start / pageSize * Self.pageRecord,
          bytes / Self.pageSize * Int(Self.pageRecord)),
        user: area(0x1000_0000, 16 * Self.pageSize))
    } else {
      host = nil
    }
    size = offset
  }

  var areas: [Area] {
    [image, stop, descriptors, stack, page, fixmap, modules] + (host?.all ?? [])
  }

  /// The areas by what the CPU may do there, as the kernel's own page tables have it: pages of `code`
  /// are executable, data is not.
  ///
  /// - Parameter code: addresses within the image.
  func parts(code: [Range<UInt64>]) -> [(area: Area, isExecutable: Bool)] {
    var parts: [(area: Area, isExecutable: Bool)] = []
    func add(_ range: Range<Int>, _ isExecutable: Bool) {
      guard !range.isEmpty else { return }
      let area = Area(
        guest: image.guest + UInt64(range.lowerBound), offset: image.offset + range.lowerBound,
        size: range.count)
      parts.append((area, isExecutable))
    }
    var end = 0
    for range in code.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      let inside = range.clamped(to: image.guestRange)
      guard !inside.isEmpty else { continue }
      let start = Int(inside.lowerBound - image.guest) / Self.pageSize * Self.pageSize
      let pages = Int(inside.upperBound - image.guest) + Self.pageSize - 1
      let stop = pages / Self.pageSize * Self.pageSize
      guard stop > end else { continue }
      add(end..<max(end, start), false)
      add(max(end, start)..<stop, true)
      end = stop
    }
    add(end..<image.size, false)
    // One region each where pages of code touch: Unicorn goes through them one by one.
    parts = parts.reduce(into: []) { merged, part in
      if let last = merged.last, last.isExecutable == part.isExecutable {
        merged[merged.count - 1].area.size += part.area.size
      } else {
        merged.append(part)
      }
    }
    let alsoCode = [stop, modules, host?.helpers].compactMap { $0?.guest }
    return parts + areas.dropFirst().map { ($0, alsoCode.contains($0.guest)) }
  }

  /// The offset in the arena of `count` bytes at a guest address; nil if they are not in one area.
  @inline(__always)
  func offset(of address: UInt64, count: Int) -> Int? {
    if let offset = Self.offset(of: address, count: count, in: image) { return offset }
    for area in [stack, page, modules, stop, descriptors, fixmap] {
      if let offset = Self.offset(of: address, count: count, in: area) { return offset }
    }
    for area in host?.all ?? [] {
      if let offset = Self.offset(of: address, count: count, in: area) { return offset }
    }
    return nil
  }

  @inline(__always)
  private static func offset(of address: UInt64, count: Int, in area: Area) -> Int? {
    guard address >= area.guest, count >= 0 else { return nil }
    let distance = address - area.guest
    guard distance <= UInt64(area.size), count <= area.size - Int(distance) else { return nil }
    return area.offset + Int(distance)
  }

  /// The guest address of an offset in the arena.
  func guestAddress(of offset: Int) -> UInt64? {
    for area in areas where offset >= area.offset && offset < area.offset + area.size {
      return area.guest + UInt64(offset - area.offset)
    }
    return nil
  }
}
