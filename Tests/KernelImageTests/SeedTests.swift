import CArchive
import Foundation
import Testing

@testable import KernelImage

/// Writes the inputs that fuzzing starts from, in the forms that the other tests build: nothing of
/// them is anybody else's.
///
///     BHBCHECK_SEEDS=fuzz/corpus swift test --filter Seeds
@Suite("Seeds") struct SeedTests {
  private static let folder = ProcessInfo.processInfo.environment["BHBCHECK_SEEDS"]
  private static let kernel = SmallElf(code: (0..<300).map { UInt8(truncatingIfNeeded: $0 / 3) })
    .bytes

  @Test(.enabled(if: folder != nil, "BHBCHECK_SEEDS names the folder to write them to"))
  func areWritten() throws {
    let folder = URL(filePath: try #require(Self.folder), directoryHint: .isDirectory)
    for (target, seeds) in Self.seeds {
      let place = folder.appending(component: target, directoryHint: .isDirectory)
      try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
      for (name, bytes) in seeds { try Data(bytes).write(to: place.appending(component: name)) }
    }
  }

  /// What is written is what the readers take: a seed that is refused at once starts nothing.
  @Test func leadSomewhere() throws {
    for (name, bytes) in Self.containers + Self.bootImages {
      #expect(throws: Never.self, "\(name)") { try opened(bytes) }
    }
    for (name, bytes) in Self.kallsyms {
      let contents = Artefact.Contents(try .copying(bytes: bytes))
      let tokens = try #require(KallsymsTokens.find(in: Blob(contents)), "\(name)")
      #expect(KallsymsNames(tokens) != nil, "\(name)")
    }
  }

  private typealias Seed = (name: String, bytes: [UInt8])

  private static var seeds: [String: [Seed]] {
    [
      "containers": containers, "bzimage": bootImages, "kallsyms": kallsyms,
      "btf": [("types", sampleBTF())],
      "elf": [
        ("kernel", kernel), ("module", SmallElf.module.bytes),
        ("kernel-32", SmallElf(machine: 3, is64Bit: false).bytes),
        ("with-kallsyms", elfWithKallsyms),
      ],
      "system-map": [
        ("map", Array("ffffffff81000000 T _text\nffffffff81000040 t clear_bhb_loop\n".utf8))
      ],
    ]
  }

  private static let members: [SmallArchives.Member] = [
    ("./boot/vmlinuz-1", SmallImages.bootImage(of: kernel)),
    ("./boot/config-1", Array("CONFIG_KVM=m\n".utf8)),
    ("./lib/modules/1/kernel/arch/x86/kvm/kvm-intel.ko", SmallElf.module.bytes),
  ]

  private static var containers: [Seed] {
    [
      ("deb", SmallArchives.deb(members)), ("rpm", SmallArchives.rpm(members)),
      ("tar", SmallArchives.tar(members)),
      ("tar.gz", SmallArchives.tar(members, archive_write_add_filter_gzip)),
      ("uki", unified),
    ]
      + Compression.allCases.map { ("vmlinux.\($0)", SmallImages.compressed(kernel, $0)) }
  }

  private static var unified: [UInt8] {
    SmallImages.portableExecutable([
      (".cmdline", Array("quiet".utf8)), (".linux", SmallImages.bootImage(of: kernel)),
    ])
  }

  private static var bootImages: [Seed] {
    Compression.allCases.map { ("bzImage.\($0)", SmallImages.bootImage(of: kernel, $0)) }
      + [("uki", unified)]
  }

  private static var symbols: [(letter: Character, name: String, address: UInt64)] {
    (0..<300).map { number in
      let letter: Character = number % 3 == 0 ? "T" : "t"
      let address: UInt64 = 0xFFFF_FFFF_8100_0000 + UInt64(number) * 16
      return (letter, "cpu_s\(number)", address)
    }
  }

  private static var kallsyms: [Seed] {
    KallsymsBuilder.Form.allCases.map { form in
      let builder = KallsymsBuilder(symbols: symbols, form: form, address: 0xFFFF_FFFF_8200_0000)
      return ("\(form)", builder.bytes())
    }
  }

  private static var elfWithKallsyms: [UInt8] {
    ElfBuilder(parts: [
      .init(
        name: ".text", flags: 6, address: 0xFFFF_FFFF_8100_0000,
        bytes: [UInt8](repeating: 0x90, count: 4800)),
      .init(
        name: ".rodata", address: 0xFFFF_FFFF_8200_0000,
        bytes: KallsymsBuilder(
          symbols: symbols, form: .baseBehindTokens, address: 0xFFFF_FFFF_8200_0000
        ).bytes()),
      .init(name: ".BTF", address: 0xFFFF_FFFF_8300_0000, bytes: sampleBTF()),
    ]).file
  }
}

extension ImageBytes {
  fileprivate static func copying(bytes: [UInt8]) throws(ImageError) -> ImageBytes {
    let contents = bytes
    return try filling(capacity: contents.count) { buffer in
      buffer.copyBytes(from: contents)
      return contents.count
    }
  }
}
