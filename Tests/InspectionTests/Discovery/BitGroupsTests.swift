import Testing

@testable import Inspection

@Suite("Groups of bits") struct BitGroupsTests {
  @Test(
    "one group tells every bit from every other one, and is within the register",
    arguments: [32, 64])
  func pairs(width: Int) {
    let masks = BitGroups.masks(width: width)
    #expect(masks.count == (width == 32 ? 10 : 12))
    for one in 0..<width {
      for other in 0..<width where other != one {
        #expect(masks.contains { $0 >> UInt64(one) & 1 == 1 && $0 >> UInt64(other) & 1 == 0 })
      }
    }
    #expect(masks.allSatisfy { width == 64 || $0 >> UInt64(width) == 0 })
  }
}
