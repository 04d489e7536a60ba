/// Finds references to an address in machine code in one pass over its bytes.
///
/// A reference is either the 32-bit displacement of a branch or a rip-relative operand without an
/// immediate behind it (counted from the end of the displacement), or the low half of the address
/// itself as an immediate (kernels lie in the topmost 2 GiB, so the processor extends it).
struct ReferenceScan {
  /// Where the 32 bits lie that matched, as offsets in the bytes.
  var displacements: [Int] = []
  var immediates: [Int] = []

  init(_ bytes: UnsafeRawBufferPointer, at address: UInt64, target: UInt64) {
    let extends = Int64(bitPattern: target) == Int64(Int32(truncatingIfNeeded: target))
    let low = UInt32(truncatingIfNeeded: target)
    // A displacement at offset o holds target - (address + o + 4), of which the low half is enough
    // for finding; the exact distance is compared afterwards.
    let first = UInt32(truncatingIfNeeded: target &- address &- 4)
    let wanted = SIMD4(repeating: low)
    // Lanes lie four bytes apart; four loads, one byte apart, cover all sixteen offsets.
    var expected = SIMD4<UInt32>(repeating: first) &- SIMD4(0, 4, 8, 12)
    var offset = 0
    let one = SIMD4<UInt32>(repeating: 1)
    let step = SIMD4<UInt32>(repeating: 16)
    while offset + 19 <= bytes.count {
      let a = bytes.loadUnaligned(fromByteOffset: offset, as: SIMD4<UInt32>.self)
      let b = bytes.loadUnaligned(fromByteOffset: offset + 1, as: SIMD4<UInt32>.self)
      let c = bytes.loadUnaligned(fromByteOffset: offset + 2, as: SIMD4<UInt32>.self)
      let d = bytes.loadUnaligned(fromByteOffset: offset + 3, as: SIMD4<UInt32>.self)
      let next = expected &- one
      let third = next &- one
      let relative =
        (a .== expected) .| (b .== next) .| (c .== third) .| (d .== (third &- one))
      let absolute = (a .== wanted) .| (b .== wanted) .| (c .== wanted) .| (d .== wanted)
      if any(relative .| absolute) {
        for position in offset..<(offset + 16) {
          check(bytes, position, first, low, extends)
        }
      }
      expected = expected &- step
      offset += 16
    }
    while offset + 4 <= bytes.count {
      check(bytes, offset, first, low, extends)
      offset += 1
    }
  }

  private mutating func check(
    _ bytes: UnsafeRawBufferPointer, _ offset: Int, _ first: UInt32, _ low: UInt32,
    _ extends: Bool
  ) {
    let value = bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
    if value == first &- UInt32(truncatingIfNeeded: offset) { displacements.append(offset) }
    if extends, value == low { immediates.append(offset) }
  }
}
