import Testing

@testable import Alternatives

@Suite("Scan for references")
struct ReferenceScanTests {
  private static let base: UInt64 = 0xFFFF_FFFF_8100_0000
  private static let target: UInt64 = 0xFFFF_FFFF_81C0_1700

  private func scan(_ bytes: [UInt8]) -> ReferenceScan {
    bytes.withUnsafeBytes { ReferenceScan($0, at: Self.base, target: Self.target) }
  }

  private func put(_ value: UInt32, at offset: Int, in bytes: inout [UInt8]) {
    for index in 0..<4 { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index)) }
  }

  @Test(
    "a displacement is found at every offset of short and long code", arguments: [4, 19, 20, 67])
  func displacements(_ count: Int) {
    for offset in 0...(count - 4) {
      var bytes = [UInt8](repeating: 0x90, count: count)
      let end = Self.base + UInt64(offset) + 4
      put(UInt32(truncatingIfNeeded: Self.target &- end), at: offset, in: &bytes)
      #expect(scan(bytes).displacements == [offset])
      #expect(scan(bytes).immediates.isEmpty)
    }
  }

  @Test("an immediate is found at every offset", arguments: [4, 19, 20, 67])
  func immediates(_ count: Int) {
    for offset in 0...(count - 4) {
      var bytes = [UInt8](repeating: 0x90, count: count)
      put(UInt32(truncatingIfNeeded: Self.target), at: offset, in: &bytes)
      #expect(scan(bytes).immediates == [offset])
      #expect(scan(bytes).displacements.isEmpty)
    }
  }

  @Test("an address that no 32-bit immediate extends to has none")
  func unreachable() {
    var bytes = [UInt8](repeating: 0, count: 32)
    put(0x1000, at: 8, in: &bytes)
    let scan = bytes.withUnsafeBytes { ReferenceScan($0, at: 0, target: 0x1_0000_1000) }
    #expect(scan.immediates.isEmpty)
  }

  @Test("too few bytes hold nothing", arguments: 0..<4)
  func short(_ count: Int) {
    #expect(scan([UInt8](repeating: 0, count: count)).displacements.isEmpty)
  }
}
