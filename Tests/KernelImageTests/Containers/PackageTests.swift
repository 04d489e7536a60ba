import CArchive
import Testing

@testable import KernelImage

/// Packages and tar files, read as streams.
struct PackageTests {
  private static let kernel = SmallElf().bytes
  private static let module = SmallElf.module.bytes
  private static let image = SmallImages.bootImage(of: kernel, .zstd)
  private static let configuration = Array("CONFIG_X86_64=y\n".utf8)
  private static let stub = Array(
    "ffffffffffffffff B The real System.map is in the -dbg package\n".utf8)

  private static let oldLayout: [SmallArchives.Member] = [
    ("./boot/System.map-6.1.0-56-amd64", stub), ("./boot/config-6.1.0-56-amd64", configuration),
    ("./boot/vmlinuz-6.1.0-56-amd64", image),
    ("./lib/modules/6.1.0-56-amd64/kernel/arch/x86/kvm/kvm-amd.ko", [1, 2, 3]),
    ("./lib/modules/6.1.0-56-amd64/kernel/arch/x86/kvm/kvm-intel.ko", module),
    ("./lib/modules/6.1.0-56-amd64/kernel/arch/x86/kvm/kvm.ko", module),
    ("./lib/modules/6.1.0-56-amd64/kernel/fs/ext4/ext4.ko", [4, 5, 6]),
  ]
  private static let newLayout: [SmallArchives.Member] = [
    (
      "./usr/lib/modules/7.3.4+deb13-amd64/kernel/arch/x86/kvm/kvm-intel.ko.xz",
      SmallImages.compressed(module, .xz)
    ),
    ("./usr/lib/modules/7.3.4+deb13-amd64/modules.dep", [1]),
    ("./usr/lib/modules/7.3.4+deb13-amd64/vmlinuz", image),
  ]

  @Test func theOldDebianLayout() throws {
    let found = try opened(SmallArchives.deb(Self.oldLayout), as: "linux-image.deb")
    #expect(found.count == 1)
    let artefact = try #require(found.first)
    #expect(artefact.path.hasSuffix("/linux-image.deb"))
    #expect(artefact.kernel?.name == "boot/vmlinuz-6.1.0-56-amd64")
    #expect(artefact.kernel?.layers == ["deb", "tar.xz", "bzImage", "zstd"])
    #expect(artefact.kernel?.array == Self.kernel)
    #expect(
      artefact.modules.map(\.name)
        == ["kvm-intel.ko", "kvm.ko"].map {
          "lib/modules/6.1.0-56-amd64/kernel/arch/x86/kvm/\($0)"
        })
    #expect(artefact.modules.first?.array == Self.module)
    #expect(artefact.modules.first?.layers == ["deb", "tar.xz"])
    #expect(artefact.configuration?.array == Self.configuration)
    #expect(artefact.systemMap == nil)
  }

  @Test func theNewDebianLayout() throws {
    let found = try opened(
      SmallArchives.deb(Self.newLayout, dataName: "data.tar.zst", archive_write_add_filter_zstd))
    #expect(found.first?.kernel?.name == "usr/lib/modules/7.3.4+deb13-amd64/vmlinuz")
    #expect(found.first?.kernel?.layers == ["deb", "tar.zstd", "bzImage", "zstd"])
    #expect(found.first?.modules.map(\.array) == [Self.module])
    #expect(found.first?.modules.first?.layers == ["deb", "tar.zstd", "xz"])
  }

  @Test func aPlainDataTar() throws {
    let deb = SmallArchives.deb(
      Self.oldLayout, dataName: "data.tar", archive_write_add_filter_none)
    #expect(try opened(deb).first?.kernel?.layers == ["deb", "tar", "bzImage", "zstd"])
  }

  @Test func aRealSystemMapIsKept() throws {
    let map = Array(String(repeating: "ffffffff81000000 T _text\n", count: 100).utf8)
    let found = try opened(
      SmallArchives.deb([("./boot/System.map-1", map), ("./boot/vmlinuz-1", Self.image)]))
    #expect(found.first?.systemMap?.array == map)
    #expect(found.first?.systemMap?.name == "boot/System.map-1")
  }

  @Test(arguments: [
    "./usr/lib/debug/boot/vmlinux-6.1.0", "./usr/lib/debug/lib/modules/6.1.0/vmlinux",
  ])
  func aDebugPackageHasNoModules(_ path: String) throws {
    let debugModule = SmallElf(kind: .object, hasCode: false).bytes
    let modulePath = "./usr/lib/debug/lib/modules/6.1.0/kernel/arch/x86/kvm/kvm-intel.ko"
    for members in [
      [(path, Self.kernel), (modulePath, debugModule)],
      [(modulePath, debugModule), (path, Self.kernel)],
    ] {
      let found = try opened(SmallArchives.deb(members))
      #expect(found.count == 1)
      #expect(found.first?.kernel?.array == Self.kernel)
      #expect(found.first?.modules.isEmpty == true)
    }
  }

  @Test func modulesWithoutAKernelAreAnArtefact() throws {
    let found = try opened(
      SmallArchives.deb([
        (
          "./lib/modules/6.8.0-40-generic/kernel/arch/x86/kvm/kvm-intel.ko.zst",
          SmallImages.compressed(Self.module, .zstd)
        )
      ]))
    #expect(found.first?.kernel == nil)
    #expect(found.first?.modules.map(\.array) == [Self.module])
  }

  @Test func anRPM() throws {
    let members: [SmallArchives.Member] = [
      ("./lib/modules/6.9.4-200.fc40.x86_64/config", Self.configuration),
      (
        "./lib/modules/6.9.4-200.fc40.x86_64/kernel/arch/x86/kvm/kvm-intel.ko.xz",
        SmallImages.compressed(Self.module, .xz)
      ),
      ("./lib/modules/6.9.4-200.fc40.x86_64/vmlinuz", Self.image),
    ]
    let found = try opened(SmallArchives.rpm(members), as: "kernel-core.rpm")
    #expect(found.first?.kernel?.layers == ["rpm", "cpio.zstd", "bzImage", "zstd"])
    #expect(found.first?.kernel?.array == Self.kernel)
    #expect(found.first?.modules.map(\.array) == [Self.module])
    #expect(found.first?.configuration?.array == Self.configuration)
    let gzip = try opened(SmallArchives.rpm(members, archive_write_add_filter_gzip))
    #expect(gzip.first?.kernel?.layers == ["rpm", "cpio.gzip", "bzImage", "zstd"])
  }

  @Test func tarFilesInAnyCompression() throws {
    let filters: [(String, SmallArchives.AddFilter)] = [
      ("tar", archive_write_add_filter_none), ("tar.gzip", archive_write_add_filter_gzip),
      ("tar.bzip2", archive_write_add_filter_bzip2), ("tar.lzma", archive_write_add_filter_lzma),
      ("tar.xz", archive_write_add_filter_xz), ("tar.lz4", archive_write_add_filter_lz4),
      ("tar.zstd", archive_write_add_filter_zstd), ("tar.lzip", archive_write_add_filter_lzip),
      ("tar.compress (.Z)", archive_write_add_filter_compress),
    ]
    for (name, filter) in filters {
      let found = try opened(SmallArchives.tar(Self.oldLayout, filter))
      #expect(found.first?.kernel?.array == Self.kernel, "\(name)")
      #expect(found.first?.kernel?.layers.first == name)
      #expect(found.first?.modules.count == 2)
    }
    let lzo = try opened(SmallImages.lzop(SmallArchives.tar(Self.oldLayout)))
    #expect(lzo.first?.kernel?.layers == ["lzo", "tar", "bzImage", "zstd"])
  }

  @Test func aTarFileOfSeveralKernels() throws {
    let other = SmallElf(code: [1, 2, 3]).bytes
    let found = try opened(
      SmallArchives.tar([
        ("boot/config-6.1", Self.configuration), ("boot/vmlinuz-6.1", Self.image),
        ("boot/vmlinuz-6.12", SmallImages.bootImage(of: other, .gzip)),
        ("lib/modules/6.1/kernel/arch/x86/kvm/kvm-intel.ko", Self.module),
      ]), as: "boot.tar")
    #expect(found.map(\.kernel?.array) == [Self.kernel, other])
    #expect(found.map(\.modules.count) == [1, 0])
    #expect(found.map { $0.configuration == nil } == [false, true])
    #expect(found.allSatisfy { $0.path.contains("/boot.tar/boot/vmlinuz-6.1") })
  }

  @Test func vmlinuxGoesBeforeVmlinuz() throws {
    let withSymbols = SmallElf(code: Array("symbols".utf8)).bytes
    let found = try opened(
      SmallArchives.tar([
        ("boot/vmlinuz-6.1", Self.image), ("boot/vmlinux-6.1", withSymbols),
        ("boot/vmlinux-6.1-gdb.py", Array("import gdb\n".utf8)),
      ]))
    #expect(found.map(\.kernel?.array) == [withSymbols])
  }

  @Test func readingStopsWhenAllIsFound() throws {
    // The rest of the package is missing, and nobody notices.
    let data = SmallArchives.tar(Self.oldLayout)
    let needle = Array("ext4.ko".utf8)
    let end = try #require(
      data.indices.first { data[$0...].starts(with: needle) })
    let found = try opened(SmallArchives.deb(data: Array(data[..<end]), dataName: "data.tar"))
    #expect(found.first?.modules.count == 2)
  }

  @Test func withoutAKernelThereIsAnError() throws {
    for archive in [
      SmallArchives.deb([("./usr/bin/ls", [1, 2, 3])]), SmallArchives.tar([("a", [1])]),
      SmallArchives.rpm([("./usr/bin/ls", [1, 2, 3])]),
      SmallArchives.tar([("vmlinux", Array("not a kernel, only a text of that name".utf8))]),
      SmallArchives.archive(
        [("a.o", Self.module)], archive_write_set_format_ar_svr4, archive_write_add_filter_none),
    ] {
      #expect(failure(of: archive)?.code == .noKernel)
    }
  }

  @Test func errorsNameTheMember() throws {
    var bad = Self.image
    bad.set(UInt32(12345), at: bad.count - 64 - 4)
    let error = try #require(failure(of: SmallArchives.deb([("./boot/vmlinuz-1", bad)])))
    #expect(error.code == .malformed)
    #expect(error.member == "data.tar.xz: boot/vmlinuz-1")
    let arm = SmallArchives.tar([("boot/vmlinux-1", SmallElf(machine: 183).bytes)])
    #expect(failure(of: arm)?.code == .wrongArchitecture)
    #expect(failure(of: arm)?.member == "boot/vmlinux-1")
  }

  @Test func aMemberThatClaimsTooMuchIsRefused() throws {
    // The size field of the first tar header: 12 octal digits at offset 124, the checksum behind.
    var tar = SmallArchives.archive(
      [("boot/vmlinuz-1", Self.image)], archive_write_set_format_ustar,
      archive_write_add_filter_none)
    tar.replaceSubrange(124..<136, with: Array("77777777777\0".utf8))
    tar.replaceSubrange(148..<156, with: Array("        ".utf8))
    let sum = tar[..<512].reduce(0) { $0 + Int($1) }
    let octal = String(sum, radix: 8)
    let digits = String(repeating: "0", count: 6 - octal.utf8.count) + octal + "\0 "
    tar.replaceSubrange(148..<156, with: Array(digits.utf8))
    let error = try #require(failure(of: tar))
    #expect(error.code == .tooLarge)
    #expect(error.member == "boot/vmlinuz-1")
  }

  @Test func holesOfASparseMemberAreZeros() throws {
    let hole = 1 << 16
    let kernel = SmallElf(code: [UInt8](repeating: 0, count: hole + 8192)).bytes
    let tar = SmallArchives.archive(
      [("vmlinux", kernel)], archive_write_set_format_pax, archive_write_add_filter_none,
      prepare: { entry in
        archive_entry_sparse_add_entry(entry, 0, 4096)
        archive_entry_sparse_add_entry(
          entry, la_int64_t(hole), la_int64_t(kernel.count - hole))
      })
    #expect(tar.count < hole)
    #expect(try opened(tar).first?.kernel?.array == kernel)
  }

  @Test(arguments: [
    ("./boot/vmlinuz-6.1", PackagePath.Role.bootImage, "6.1"),
    ("usr/lib/modules/7.0-rc1/vmlinuz", .bootImage, "7.0-rc1"),
    ("usr/lib/debug/lib/modules/6.9/vmlinux", .vmlinux, "6.9"),
    ("lib/modules/6.9/vmlinuz-virt.efi", .bootImage, "6.9"), ("vmlinux", .vmlinux, ""),
    ("usr/lib/modules/6.4/vmlinux.xz", .vmlinux, "6.4"), ("boot/vmlinux-6.4.gz", .vmlinux, "6.4"),
    ("arch/x86/boot/bzImage", .bootImage, ""), ("lib/modules/6.9/config", .configuration, "6.9"),
    ("linux/.config", .configuration, ""), ("boot/System.map-6.1", .systemMap, "6.1"),
    ("/lib/modules/6.1/kernel/arch/x86/kvm/kvm-intel.ko.zst", .module, "6.1"),
  ])
  func pathsTellWhatAMemberIs(
    _ path: String, _ role: PackagePath.Role, _ version: String
  ) throws {
    let place = try #require(PackagePath(path))
    #expect(place.role == role)
    #expect(place.version == version)
    #expect(place.isDebug == path.contains("debug"))
  }

  @Test(arguments: [
    "lib/modules/6.1/.vmlinuz.hmac", "boot/vmlinuz-6.1.hmac", "etc/ssh/config", "", "/", "./",
    "usr/src/linux/scripts/vmlinux.lds", "lib/modules/6.1/kernel/arch/x86/kvm/kvm-intel.ko.debug",
    "lib/modules/6.1/kernel/arch/x86/kvm/kvm-amd.ko", "modules",
  ])
  func otherPathsAreLeftAlone(_ path: String) {
    #expect(PackagePath(path) == nil)
  }
}

/// A stream that fails for reasons of its own.
struct ByteSourceTests {
  /// Gives pieces of bytes and then an error, or the end.
  private final class Pieces: ByteSource {
    private let bytes: UnsafeRawBufferPointer
    private let failure: ImageError?
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer, failure: ImageError?) {
      self.bytes = bytes
      self.failure = failure
    }

    func next() throws(ImageError) -> UnsafeRawBufferPointer {
      let end = min(position + 97, bytes.count)
      if position == end, let failure { throw failure }
      defer { position = end }
      return UnsafeRawBufferPointer(rebasing: bytes[position..<end])
    }
  }

  private func names(
    in bytes: [UInt8], upTo end: Int? = nil, failure: ImageError? = nil
  ) throws -> [String] {
    try bytes.withUnsafeBytes { bytes in
      let part = UnsafeRawBufferPointer(rebasing: bytes[..<(end ?? bytes.count)])
      var reader = try ArchiveReader(Pieces(part, failure: failure), formats: .tar)
      var names: [String] = []
      while let entry = try reader.next() { names.append(entry.path) }
      return names
    }
  }

  private static let tar = SmallArchives.tar(
    [("one", [UInt8](repeating: 1, count: 3000)), ("two", [2])], archive_write_add_filter_xz)

  @Test func smallPiecesMakeTheWhole() throws {
    #expect(try names(in: Self.tar) == ["one", "two"])
  }

  @Test func theSourcesOwnErrorIsTheOneThatCounts() throws {
    let error = ImageError(.unreadable, "the disk broke")
    #expect(throws: error) { try names(in: Self.tar, upTo: Self.tar.count / 2, failure: error) }
    #expect(throws: error) { try names(in: Self.tar, upTo: 0, failure: error) }
  }

  @Test func anEarlyEndIsTruncated() throws {
    do {
      _ = try names(in: Self.tar, upTo: Self.tar.count / 2)
      Issue.record("half an archive was read")
    } catch let error as ImageError {
      #expect(error.code == .truncated)
    }
  }
}
