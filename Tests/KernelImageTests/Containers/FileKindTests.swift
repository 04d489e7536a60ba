import Glibc
import Testing

@testable import KernelImage

/// Single files: what is taken, what is refused and with which words.
struct FileKindTests {
  @Test func aKernelIsMapped() throws {
    let bytes = SmallElf().bytes
    let found = try opened(bytes, as: "vmlinux")
    #expect(found.count == 1)
    #expect(found[0].kernel?.name == "vmlinux")
    #expect(found[0].kernel?.layers == [])
    #expect(found[0].kernel?.array == bytes)
    #expect(found[0].modules.isEmpty)
  }

  @Test func aModuleHasNoKernel() throws {
    let bytes = SmallElf.module.bytes
    for (layers, file): ([String], [UInt8]) in [
      ([], bytes), (["xz"], SmallImages.compressed(bytes, .xz)),
      (["gzip"], SmallImages.compressed(bytes, .gzip)),
      (["zstd"], SmallImages.compressed(bytes, .zstd)),
    ] {
      let found = try opened(file, as: "kvm-intel.ko")
      #expect(found[0].kernel == nil)
      #expect(found[0].modules.map(\.layers) == [layers])
      #expect(found[0].modules[0].array == bytes)
    }
  }

  @Test func openModulesWantsModules() throws {
    let folder = TestFolder()
    let module = folder.write("m.ko.zst", SmallImages.compressed(SmallElf.module.bytes, .zstd))
    #expect(try Artefact.openModules(path: module).first?.array == SmallElf.module.bytes)
    let deb = folder.write(
      "linux-modules.deb",
      SmallArchives.deb([
        ("./lib/modules/1/kernel/arch/x86/kvm/kvm-intel.ko", SmallElf.module.bytes)
      ]))
    #expect(try Artefact.openModules(path: deb).map(\.layers) == [["deb", "tar.xz"]])
    let kernel = folder.write("vmlinux", SmallElf().bytes)
    #expect(throws: ImageError.self) { try Artefact.openModules(path: kernel) }
  }

  @Test func openTextIsBounded() throws {
    let folder = TestFolder()
    let text = Array("ffffffff81000000 T _text\n".utf8)
    #expect(try Artefact.openText(path: folder.write("System.map", text)).array == text)
    #expect(throws: ImageError.self) {
      try Artefact.openText(path: folder.write("binary", SmallElf().bytes))
    }
    let large = folder.write("large", [])
    #expect(truncate(large, off_t(PackageReader.Limit.text + 1)) == 0)
    #expect(throws: ImageError.self) { try Artefact.openText(path: large) }
  }

  @Test(arguments: [
    (UInt16(183), true, false, "ARM"), (40, false, false, "ARM"), (243, true, false, "RISC-V"),
    (22, true, true, "IBM Z"), (21, true, true, "PowerPC"),
  ])
  func anotherArchitectureIsNamed(
    _ machine: UInt16, _ is64Bit: Bool, _ isBigEndian: Bool, _ name: String
  ) throws {
    let file = SmallElf(machine: machine, is64Bit: is64Bit, isBigEndian: isBigEndian).bytes
    let error = try #require(failure(of: file))
    #expect(error.code == .wrongArchitecture)
    #expect(error.message.contains(name))
  }

  @Test func bootImagesOfOtherArchitecturesAreNamed() throws {
    var arm64 = [UInt8](repeating: 0, count: 4096)
    arm64.replaceSubrange(0..<2, with: Array("MZ".utf8))
    arm64.replaceSubrange(0x38..<0x3C, with: Array("ARMd".utf8))
    #expect(failure(of: arm64)?.code == .wrongArchitecture)
    #expect(failure(of: arm64)?.message.contains("ARM64") == true)
    // Debian's arm64 kernels of today are compressed images or this one compressed by gzip.
    #expect(failure(of: SmallImages.compressed(arm64, .gzip))?.code == .wrongArchitecture)
    var riscv = [UInt8](repeating: 0, count: 4096)
    riscv.replaceSubrange(0x38..<0x3C, with: Array("RSC\u{5}".utf8))
    #expect(failure(of: riscv)?.message.contains("RISC-V") == true)
    let uki = SmallImages.portableExecutable([(".linux", arm64)], machine: 0xAA64)
    #expect(failure(of: uki)?.code == .wrongArchitecture)
    #expect(failure(of: uki)?.message.contains("ARM64") == true)
  }

  @Test func programsAndCoresAreNoKernels() throws {
    for segment: UInt32 in [2, 3] {
      let error = failure(of: SmallElf(secondSegment: segment).bytes)
      #expect(error?.code == .unsupportedFormat)
    }
    #expect(failure(of: SmallElf(kind: .core).bytes)?.code == .unsupportedFormat)
    #expect(failure(of: SmallElf(kind: .object, hasCode: false).bytes)?.code == .noKernel)
    #expect(failure(of: Array("just some text, no image\n".utf8))?.code == .unsupportedFormat)
    #expect(
      failure(of: SmallImages.compressed(Array("text".utf8), .gzip))?.code == .unsupportedFormat)
  }

  @Test func aSectionBeyondTheFileIsTold() throws {
    let error = try #require(failure(of: SmallElf(excess: 1 << 40).bytes))
    #expect(error.code == .truncated)
    #expect(error.offset != nil)
  }

  @Test func missingAndUnfitFilesAreTold() throws {
    let folder = TestFolder()
    func code(_ path: String) -> ImageError.Code? {
      do {
        _ = try Artefact.open(path: path)
        return nil
      } catch { return error.code }
    }
    #expect(code("\(folder.path)/nothing") == .notFound)
    #expect(code("\(folder.path)/nothing/below") == .notFound)
    #expect(code("/dev/null") == .unreadable)
    #expect(code(folder.write("empty", [])) == .truncated)
    let pipe = "\(folder.path)/pipe"
    #expect(mkfifo(pipe, 0o600) == 0)
    #expect(code(pipe) == .unreadable)
    #expect(ImageError.system(EACCES, "cannot be opened").code == .noPermission)
    #expect(ImageError.system(EACCES, "cannot be opened").code.isMissingInput)
  }

  @Test(.enabled(if: geteuid() != 0, "root may read everything; run the tests as another user"))
  func aFileWithoutPermissionIsTold() throws {
    let folder = TestFolder()
    let file = folder.write("vmlinux", SmallElf().bytes)
    #expect(chmod(file, 0) == 0)
    #expect(throws: ImageError(.noPermission, "cannot be opened: Permission denied")) {
      try Artefact.open(path: file)
    }
  }

  @Test func layersHaveAnEnd() throws {
    var file = SmallElf().bytes
    for _ in 0..<12 { file = SmallImages.compressed(file, .lzo) }
    #expect(failure(of: file)?.code == .unsupportedFormat)
  }
}

/// PE files with a kernel in them.
struct UnifiedImageTests {
  private static let kernel = SmallImages.bootImage(of: SmallElf().bytes, .zstd)

  @Test func kernelAndCommandLineAreFound() throws {
    let file = SmallImages.portableExecutable([
      (".text", [0x90]), (".osrel", Array("ID=debian\n".utf8)),
      (".cmdline", Array("root=/dev/vda spectre_bhi=on \n\0".utf8)), (".linux", Self.kernel),
      (".cmdline", Array("of another profile".utf8)),
    ])
    let found = try opened(file, as: "linux.efi")
    #expect(found[0].kernel?.layers == ["uki", "bzImage", "zstd"])
    #expect(found[0].kernel?.array == SmallElf().bytes)
    #expect(found[0].embeddedCommandLine == "root=/dev/vda spectre_bhi=on")
  }

  @Test func withoutACommandLineThereIsNone() throws {
    let found = try opened(SmallImages.portableExecutable([(".linux", Self.kernel)]))
    #expect(found[0].embeddedCommandLine == nil)
    let empty = try opened(
      SmallImages.portableExecutable([(".cmdline", [0]), (".linux", Self.kernel)]))
    #expect(empty[0].embeddedCommandLine == "")
  }

  @Test func otherProgramsAreRefused() throws {
    #expect(failure(of: SmallImages.portableExecutable([(".text", [1])]))?.code == .noKernel)
    let odd = SmallImages.portableExecutable([(".linux", Array("text".utf8))])
    #expect(failure(of: odd)?.code == .unsupportedFormat)
    // An error inside the kernel is placed in the whole file.
    let bad = SmallImages.bootImage(payload: Array("no compression".utf8))
    let file = SmallImages.portableExecutable([(".linux", bad)])
    let error = try #require(failure(of: file))
    let linux: UInt64 = 0x80 + 24 + 16 + 40
    #expect(error.offset == linux + 2048 + 0x40)
  }
}
