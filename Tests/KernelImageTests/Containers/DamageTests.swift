import CArchive
import Testing

@testable import KernelImage

/// Damaged input of every kind gives an error or a valid result, never a crash.
struct DamageTests {
  private static let kernel = SmallElf(code: (0..<2000).map { UInt8(truncatingIfNeeded: $0 / 3) })
    .bytes

  /// Opens bytes; whatever comes out must be whole.
  private func survives(_ bytes: [UInt8]) -> ImageError? {
    do {
      let found = try opened(bytes)
      #expect(!found.isEmpty)
      for artefact in found {
        #expect(artefact.kernel != nil || !artefact.modules.isEmpty)
      }
      return nil
    } catch {
      #expect(!error.message.isEmpty && !error.description.contains("\n"))
      return error
    }
  }

  @Test func aKernelCutAnywhereIsAnError() {
    let whole = SmallElf().bytes
    #expect(survives(whole) == nil)
    for count in 0..<whole.count {
      let error = survives(Array(whole.prefix(count)))
      #expect(error != nil, "cut at \(count)")
      if count >= 4 {
        #expect(error?.code == .truncated, "cut at \(count): \(error?.description ?? "")")
      }
    }
  }

  @Test(arguments: Compression.allCases)
  func aBootImageCutAnywhereIsAnError(_ compression: Compression) {
    let whole = SmallImages.bootImage(of: Self.kernel, compression)
    let payloadEnd = whole.count - 64
    for count in stride(from: 0, to: whole.count, by: 5) {
      let error = survives(Array(whole.prefix(count)))
      #expect((error == nil) == (count >= payloadEnd), "cut at \(count) of \(whole.count)")
      if count >= 0x210 && count < payloadEnd { #expect(error?.code == .truncated) }
    }
  }

  @Test func aUnifiedImageCutAnywhereIsAnError() {
    let whole = SmallImages.portableExecutable([
      (".cmdline", Array("quiet".utf8)), (".linux", SmallImages.bootImage(of: Self.kernel)),
    ])
    for count in stride(from: 0, to: whole.count - 512, by: 3) {
      #expect(survives(Array(whole.prefix(count))) != nil, "cut at \(count)")
    }
  }

  private static let members: [SmallArchives.Member] = [
    ("./boot/vmlinuz-1", SmallImages.bootImage(of: kernel)),
    ("./lib/modules/1/kernel/arch/x86/kvm/kvm-intel.ko", SmallElf.module.bytes),
  ]

  @Test func aPackageCutAnywhereSurvives() {
    for whole in [
      SmallArchives.deb(Self.members),
      SmallArchives.deb(Self.members, dataName: "data.tar.zst", archive_write_add_filter_zstd),
      SmallArchives.rpm(Self.members), SmallArchives.tar(Self.members),
      SmallArchives.tar(Self.members, archive_write_add_filter_gzip),
    ] {
      #expect(survives(whole) == nil)
      for count in stride(from: 0, to: whole.count, by: 11) {
        _ = survives(Array(whole.prefix(count)))
      }
      #expect(survives(Array(whole.prefix(whole.count / 2))) != nil)
    }
  }

  @Test func flippedBitsSurvive() {
    // A fixed sequence (Numerical Recipes' constants), so that a failure repeats.
    var state: UInt32 = 20_260_401
    func random(_ limit: Int) -> Int {
      state = state &* 1_664_525 &+ 1_013_904_223
      return Int(state >> 4) % limit
    }
    let inputs =
      Compression.allCases.map { SmallImages.bootImage(of: Self.kernel, $0) } + [
        Self.kernel, SmallElf.module.bytes, SmallElf(machine: 3, is64Bit: false).bytes,
        SmallArchives.deb(Self.members), SmallArchives.rpm(Self.members),
        SmallArchives.tar(Self.members),
        SmallImages.portableExecutable([(".linux", SmallImages.bootImage(of: Self.kernel))]),
      ]
    for input in inputs {
      for _ in 0..<150 {
        var damaged = input
        for _ in 0...random(3) {
          // Headers are where damage matters most.
          let place = random(2) == 0 ? random(damaged.count) : random(min(damaged.count, 700))
          damaged[place] = UInt8(truncatingIfNeeded: random(256))
        }
        _ = survives(damaged)
      }
    }
  }
}
