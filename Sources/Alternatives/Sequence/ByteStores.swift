public import KernelImage

/// Stores of a constant byte to an address: `movb $imm8, disp32(%rip)`.
public enum ByteStores {
  /// The stores in the image's code, by address.
  public static func all(
    to target: UInt64, in kernel: KernelImage
  ) -> [(address: UInt64, value: UInt8)] {
    var stores: [(address: UInt64, value: UInt8)] = []
    for section in kernel.sections where section.isExecutable && section.isLoaded {
      guard let bytes = kernel.contents(of: section) else { continue }
      // The displacement counts from the end of the instruction, one byte behind itself.
      let scan = ReferenceScan(bytes, at: section.address, target: target &- 1)
      for offset in scan.displacements {
        // C6 /0 ib with a rip-relative operand (Intel SDM vol. 2B, MOV).
        guard offset >= 2, offset + 4 < bytes.count, bytes[offset - 2] == 0xc6,
          bytes[offset - 1] == 0x05
        else { continue }
        stores.append((section.address &+ UInt64(offset - 2), bytes[offset + 4]))
      }
    }
    return stores
  }
}
