import Glibc
import Testing

@testable import KernelImage

/// Folders with kernels in them, and the running kernel.
struct FolderTests {
  private static let kernel = SmallElf().bytes
  private static let module = SmallElf.module.bytes
  private static let image = SmallImages.bootImage(of: kernel, .zstd)
  private static let configuration = Array("CONFIG_X86_64=y\n".utf8)

  @Test func aFolderOfModules() throws {
    let root = TestFolder()
    root.write("usr/lib/modules/7.3/vmlinuz", Self.image)
    root.write(
      "usr/lib/modules/7.3/kernel/arch/x86/kvm/kvm-intel.ko.xz",
      SmallImages.compressed(Self.module, .xz))
    let path = "\(root.path)/usr/lib/modules/7.3"
    for typed in [path, path + "/"] {
      let found = try Artefact.open(path: typed)
      #expect(found.count == 1)
      #expect(found[0].path == path)
      #expect(found[0].kernel?.name == "vmlinuz")
      #expect(found[0].modules.map(\.array) == [Self.module])
      #expect(found[0].modules[0].name == "kernel/arch/x86/kvm/kvm-intel.ko.xz")
    }
  }

  @Test func aFolderOfModulesWithItsKernelInBoot() throws {
    let root = TestFolder()
    root.write("boot/vmlinuz-6.1", Self.image)
    root.write("boot/config-6.1", Self.configuration)
    root.write("usr/lib/modules/6.1/kernel/arch/x86/kvm/kvm-intel.ko", Self.module)
    #expect(symlink("usr/lib", "\(root.path)/lib") == 0)
    for folder in ["lib/modules/6.1", "usr/lib/modules/6.1"] {
      let found = try Artefact.open(path: "\(root.path)/\(folder)")
      #expect(found[0].kernel?.array == Self.kernel)
      #expect(found[0].modules.count == 1)
      #expect(found[0].configuration?.array == Self.configuration)
      #expect(found[0].configuration?.name == "boot/config-6.1")
      #expect(found[0].kernel?.name == "boot/vmlinuz-6.1")
    }
    let all = try Artefact.open(path: "\(root.path)/lib/modules")
    #expect(all.map(\.path) == ["\(root.path)/lib/modules/6.1"])
  }

  @Test func everyKernelOfBoot() throws {
    let root = TestFolder()
    for version in ["6.9", "6.12", "6.1"] { root.write("boot/vmlinuz-\(version)", Self.image) }
    root.write("boot/vmlinuz-6.1.hmac", [1])
    root.write("boot/initrd.img-6.1", [1])
    root.write("boot/kernel-notes.txt", Array("not a kernel".utf8))
    root.write("boot/kernel-5.15-gentoo", Self.image)
    root.write("boot/config-6.12", Self.configuration)
    root.write("boot/System.map-6.12", Array("short\n".utf8))
    root.write("lib/modules/6.12/kernel/arch/x86/kvm/kvm-intel.ko", Self.module)
    let boot = "\(root.path)/boot"
    let found = try Artefact.open(path: boot)
    let names = ["kernel-5.15-gentoo", "vmlinuz-6.1", "vmlinuz-6.9", "vmlinuz-6.12"]
    #expect(found.map(\.path) == names.map { "\(boot)/\($0)" })
    #expect(found.map(\.kernel?.name) == names)
    #expect(found.map(\.modules.count) == [0, 0, 0, 1])
    #expect(found[3].modules[0].name == "lib/modules/6.12/kernel/arch/x86/kvm/kvm-intel.ko")
    #expect(found[3].configuration?.array == Self.configuration)
    #expect(found[3].systemMap == nil)
  }

  @Test func oneBadKernelHidesNoOther() throws {
    let root = TestFolder()
    root.write("vmlinuz-1", Self.image)
    root.write("vmlinuz-2", Array(Self.image.prefix(2200)))
    let found = try Artefact.open(path: root.path)
    #expect(found.map { $0.kernel != nil } == [true, false])
    #expect(found.map(\.failure?.code) == [nil, .truncated])
    // Alone, it is the folder's own error.
    unlink("\(root.path)/vmlinuz-1")
    #expect(throws: ImageError.self) { try Artefact.open(path: root.path) }
  }

  @Test func aBuildTree() throws {
    let root = TestFolder()
    root.write("vmlinux", Self.kernel)
    root.write("vmlinux-gdb.py", Array("import gdb\n".utf8))
    root.write("arch/x86/boot/bzImage", Self.image)
    root.write("arch/x86/kvm/kvm-intel.ko", Self.module)
    root.write(".config", Self.configuration)
    root.write("kernel/fork.c", [1])
    let found = try Artefact.open(path: root.path)
    #expect(found.map(\.path) == [root.path])
    #expect(found[0].kernel?.layers == [])
    #expect(found[0].modules.map(\.name) == ["arch/x86/kvm/kvm-intel.ko"])
    #expect(found[0].configuration?.name == ".config")
    unlink("\(root.path)/vmlinux")
    #expect(try Artefact.open(path: root.path)[0].kernel?.layers == ["bzImage", "zstd"])
  }

  @Test func aFolderWithoutAKernel() throws {
    let root = TestFolder()
    root.write("etc/passwd", [1])
    do {
      _ = try Artefact.open(path: root.path)
      Issue.record("a kernel was found")
    } catch { #expect(error.code == .noKernel) }
    // A link into nowhere is no kernel.
    #expect(symlink("nowhere", "\(root.path)/vmlinuz-1") == 0)
    #expect(throws: ImageError.self) { try Artefact.open(path: root.path) }
  }

  @Test func theRunningKernel() throws {
    let root = TestFolder()
    do {
      _ = try Artefact.running(release: "6.1", root: root.path)
      Issue.record("a kernel was found")
    } catch {
      #expect(error.code == .notFound)
      #expect(error.message.contains("6.1"))
    }
    root.write("run/booted-system/kernel", Self.image)
    #expect(try Artefact.running(release: "6.1", root: root.path).kernel != nil)
    root.write("boot/vmlinuz-6.1", Self.image)
    root.write("lib/modules/6.1/kernel/arch/x86/kvm/kvm-intel.ko", Self.module)
    let found = try Artefact.running(release: "6.1", root: root.path)
    #expect(found.path == "\(root.path)/boot/vmlinuz-6.1")
    #expect(found.modules.map(\.array) == [Self.module])
  }

  @Test func namesSortByTheirNumbers() {
    let names = [
      "vmlinuz-6.12", "vmlinuz-6.9-2", "vmlinuz-6.9-10", "vmlinuz-6.9", "vmlinuz-6.09-1", "a",
    ]
    #expect(
      names.sorted(by: KernelFolder.areInVersionOrder)
        == [
          "a", "vmlinuz-6.9", "vmlinuz-6.09-1", "vmlinuz-6.9-2", "vmlinuz-6.9-10", "vmlinuz-6.12",
        ])
  }
}
