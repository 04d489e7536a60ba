import Glibc
import Testing

@testable import KernelImage

/// What must hold for every real kernel, whatever its version.
struct RealKernelTests {
  /// The images that `BHBCHECK_KERNELS` names, separated by colons.
  private static let paths: [String] = {
    guard let list = getenv("BHBCHECK_KERNELS").map({ String(cString: $0) }) else { return [] }
    return list.split(separator: ":").map(String.init)
  }()

  @Test(
    .enabled(
      if: !paths.isEmpty,
      "no real kernel: `make test` fetches some, or set BHBCHECK_KERNELS=FILE:FILE"),
    arguments: paths)
  func aRealKernelOpens(_ path: String) throws {
    let found = try Artefact.open(path: path)
    let member = try #require(found.first.flatMap { $0.kernel ?? $0.modules.first })
    #expect(try ElfOutline(member.contents).hasCode)
    // The bytes after a boot image's payload are the boot loader's, so no check covers them.
    guard member.layers.first == "bzImage" else { return }
    let file = try ImageBytes.mapping(path: path)
    let payload = try BootSector(file.raw).payload
    for end in [0x1FF, 0x240, payload.lowerBound, payload.lowerBound + 100, payload.upperBound - 1]
    {
      #expect(failure(of: Array(file.raw.prefix(end))) != nil, "cut at \(end)")
    }
    var lying = Array(file.raw)
    lying.set(UInt32(1 << 20), at: payload.upperBound - 4)
    #expect(failure(of: lying)?.code == .malformed)
  }
}
