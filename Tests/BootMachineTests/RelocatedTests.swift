import Glibc
import Testing

@testable import BootMachine

struct RelocatedTests {
  /// A place in the space that modules are loaded into.
  private static let place: UInt64 = 0xffff_ffff_a000_0000

  @Test(
    "what is written, and how many bytes of it",
    arguments: [
      (R_X86_64_NONE, 5, 0, 0),
      (R_X86_64_64, 0xffff_ffff_8123_4567, 0xffff_ffff_8123_4567, 8),
      (R_X86_64_32, 0x1234, 0x1234, 4),
      (R_X86_64_32S, 0xffff_ffff_8123_4567, 0xffff_ffff_8123_4567, 4),
      (R_X86_64_PC32, place - 4, UInt64.max - 3, 4),
      (R_X86_64_PLT32, place - 0x8000_0000, UInt64.max - 0x7fff_ffff, 4),
      (R_X86_64_PC64, 0x1000, 0x1000 &- place, 8),
    ] as [(Int32, UInt64, UInt64, Int)])
  func writes(_ type: Int32, _ target: UInt64, _ value: UInt64, _ count: Int) {
    let relocated = Relocated(UInt32(type), target: target, at: Self.place)
    #expect(relocated?.value == value)
    #expect(relocated?.count == count)
  }

  @Test(
    "what does not fit, and what modules do not have, is refused",
    arguments: [
      (R_X86_64_32, 0xffff_ffff_8123_4567), (R_X86_64_32S, 0x8123_4567),
      (R_X86_64_PC32, 0xffff_8880_0000_0000), (R_X86_64_PLT32, place - 0x8000_0001),
      (R_X86_64_GOTPCREL, 0x1000), (Int32.max, 0),
    ] as [(Int32, UInt64)])
  func refuses(_ type: Int32, _ target: UInt64) {
    #expect(Relocated(UInt32(bitPattern: type), target: target, at: Self.place) == nil)
  }
}
