internal import KernelImage

/// An RDMSR or WRMSR of the image whose fault the kernel would survive.
struct MSRSite: Sendable, Hashable {
  var address: UInt64
  /// In bytes, with prefixes.
  var length: Int
  var isRead: Bool
  /// Where the kernel would go on after a #GP.
  var fixup: UInt64

  /// All MSR accesses that the exception table names, by address.
  ///
  /// Every access of the boot code has an entry: native_read_msr() and its kin
  /// (arch/x86/include/asm/msr.h).
  static func all(in kernel: KernelImage) -> [MSRSite] {
    guard
      let table = kernel.table(
        from: "__start___ex_table", to: "__stop___ex_table", orSection: "__ex_table"),
      let layout = kernel.layouts.layout(of: "exception_table_entry"), layout.size > 8,
      let entries = kernel.bytes(at: table.lowerBound, count: table.count)
    else { return [] }
    return all(entries, at: table.lowerBound, entrySize: layout.size) { address in
      kernel.bytes(at: address, count: 3).map { Array($0) }
    }
  }

  /// All MSR accesses that an exception table names, by address.
  ///
  /// - Parameters:
  ///   - entries: the table's bytes, which lie at `start`.
  ///   - code: three bytes of code; nil where there is none.
  static func all(
    _ entries: UnsafeRawBufferPointer, at start: UInt64, entrySize: Int,
    code: (UInt64) -> [UInt8]?
  ) -> [MSRSite] {
    var sites: [MSRSite] = []
    var offset = 0
    while offset + entrySize <= entries.count {
      let place = start &+ UInt64(offset)
      let instruction = place.displaced(
        entries.loadUnaligned(fromByteOffset: offset, as: Int32.self))
      let fixup = (place &+ 4).displaced(
        entries.loadUnaligned(fromByteOffset: offset + 4, as: Int32.self))
      if let bytes = code(instruction),
        let site = MSRSite(at: instruction, fixup: fixup, bytes)
      {
        sites.append(site)
      }
      offset += entrySize
    }
    sites.sort { $0.address < $1.address }
    return sites
  }

  private init?(at address: UInt64, fixup: UInt64, _ bytes: [UInt8]) {
    guard bytes.count == 3 else { return nil }
    // DS and CS prefixes pad the instruction for an alternative.
    let prefix = bytes[0] == 0x3e || bytes[0] == 0x2e ? 1 : 0
    guard bytes[prefix] == 0x0f, bytes[prefix + 1] == 0x32 || bytes[prefix + 1] == 0x30 else {
      return nil
    }
    self.address = address
    self.length = 2 + prefix
    self.isRead = bytes[prefix + 1] == 0x32
    self.fixup = fixup
  }
}

extension UInt64 {
  /// This address moved by a signed 32-bit displacement, as place-relative tables hold it.
  @inline(__always)
  func displaced(_ displacement: Int32) -> UInt64 {
    self &+ UInt64(bitPattern: Int64(displacement))
  }
}
