/// One `struct alt_instr`: code that the kernel replaces at boot, and the feature that decides.
public struct AlternativeEntry: Sendable, Hashable {
  /// Where the entry itself lies.
  public var address: UInt64
  /// The code that may be replaced.
  public var site: UInt64
  /// The code that replaces it.
  public var replacement: UInt64
  /// The feature's number, word * 32 + bit, without flags.
  public var feature: Int
  /// Whether the replacement is taken when the feature is *not* there.
  public var negated: Bool
  /// Whether the kernel makes a direct call of the indirect one at the site (ALT_FLAG_DIRECT_CALL);
  /// the replacement is then no code of its own.
  public var directCall: Bool
  /// In bytes, padding included.
  public var originalLength: Int
  public var replacementLength: Int

  public init(
    address: UInt64, site: UInt64, replacement: UInt64, feature: Int, negated: Bool,
    directCall: Bool, originalLength: Int, replacementLength: Int
  ) {
    self.address = address
    self.site = site
    self.replacement = replacement
    self.feature = feature
    self.negated = negated
    self.directCall = directCall
    self.originalLength = originalLength
    self.replacementLength = replacementLength
  }

  /// The addresses that are replaced; cut off where a wrong entry would leave the address space.
  public var siteRange: Range<UInt64> {
    let (end, overflow) = site.addingReportingOverflow(UInt64(originalLength))
    return site..<(overflow ? .max : end)
  }
}

/// How a kernel lays out `struct alt_instr` (arch/x86/include/asm/alternative.h).
///
/// All of them begin with two place-relative 32-bit offsets, to the site and to the replacement,
/// and the 16-bit number of the feature.
public struct AlternativesLayout: Sendable, Hashable {
  /// The size of an entry, in bytes.
  public var stride: Int
  /// Where the 16-bit flags are; nil where bit 15 of the feature's number means *not*.
  var flags: Int?
  /// Where the length of the original is; that of the replacement follows.
  var lengths: Int

  /// Those that kernels are known to use; which one an image has is found by its content.
  static let known: [AlternativesLayout] = [
    // Separate flags: ALT_FLAG_NOT, ALT_FLAG_DIRECT_CALL.
    AlternativesLayout(stride: 14, flags: 10, lengths: 12),
    // ALTINSTR_FLAG_INV in the feature's number.
    AlternativesLayout(stride: 12, flags: nil, lengths: 10),
    // The same with the length of the padding at the end.
    AlternativesLayout(stride: 13, flags: nil, lengths: 10),
  ]

  /// Decodes the entry at the start of `bytes`, which must hold `stride` bytes.
  func entry(_ bytes: UnsafeRawBufferPointer, at address: UInt64) -> AlternativeEntry {
    let site = Int64(bytes.loadUnaligned(fromByteOffset: 0, as: Int32.self))
    let replacement = Int64(bytes.loadUnaligned(fromByteOffset: 4, as: Int32.self))
    let feature = bytes.loadUnaligned(fromByteOffset: 8, as: UInt16.self)
    let flags =
      flags.map { bytes.loadUnaligned(fromByteOffset: $0, as: UInt16.self) } ?? feature >> 15
    return AlternativeEntry(
      address: address,
      site: address &+ UInt64(bitPattern: site),
      replacement: address &+ 4 &+ UInt64(bitPattern: replacement),
      feature: Int(self.flags == nil ? feature & 0x7FFF : feature),
      negated: flags & 1 != 0,
      directCall: flags & 2 != 0,
      originalLength: Int(bytes[lengths]),
      replacementLength: Int(bytes[lengths + 1]))
  }
}
