internal import KernelImage

extension KernelImage {
  /// The code of the image with its addresses, except replacements, which are not run where they
  /// lie.
  var code: [(bytes: UnsafeRawBufferPointer, address: UInt64)] {
    let isWritable: UInt64 = 1  // SHF_WRITE
    let code = sections.filter {
      $0.isLoaded && $0.isExecutable && $0.flags & isWritable == 0
        && $0.name != ".altinstr_replacement"
    }
    guard code.isEmpty else {
      return code.compactMap { section in contents(of: section).map { ($0, section.address) } }
    }
    return segments.filter(\.isExecutable).compactMap { segment in
      bytes(at: segment.address, count: segment.fileSize).map { ($0, segment.address) }
    }
  }

  /// The addresses of the function that an address lies in; nil if the symbols do not tell.
  func function(around address: UInt64) -> Range<UInt64>? {
    guard let symbol = symbols.nearest(to: address) else { return nil }
    let start = address - symbol.offset
    // ELF symbols have sizes, and what stands behind one's end is nobody's.
    guard let end = symbols.end(of: start), address < end else { return nil }
    return start..<end
  }
}
