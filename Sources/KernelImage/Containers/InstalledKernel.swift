internal import Glibc

/// A kernel that lies in the file system as several files: itself, its kvm-intel module, its
/// configuration, its System.map.
struct InstalledKernel {
  /// What the artefact's path shows; nil for the kernel's file itself.
  var shownPath: String?
  /// What the other files lie below, left out of their names; empty for the file system's root.
  var root = ""
  /// Where the kernel may lie; the first file that is there counts.
  var kernelFiles: [String]
  /// The folders that may hold `arch/x86/kvm/kvm-intel.ko`.
  var moduleFolders: [String]
  var configurationFiles: [String] = []
  var systemMapFiles: [String] = []

  /// The kernel of a release, as distributions install it below `root`.
  init(release: String, root: String, shownPath: String? = nil) {
    self.root = root
    let folders = ["\(root)/lib/modules/\(release)", "\(root)/usr/lib/modules/\(release)"]
    kernelFiles =
      folders.map { "\($0)/vmlinuz" } + ["\(root)/boot/vmlinuz-\(release)"]
      + folders.map { "\($0)/vmlinux" }
      + [
        "\(root)/boot/vmlinux-\(release)", "\(root)/boot/kernel-\(release)",
        "\(root)/usr/lib/debug/boot/vmlinux-\(release)",
        "\(root)/usr/lib/debug/lib/modules/\(release)/vmlinux",
      ] + folders.map { "\($0)/build/vmlinux" }
    moduleFolders = folders.map { "\($0)/kernel" }
    configurationFiles = ["\(root)/boot/config-\(release)"] + folders.map { "\($0)/config" }
    systemMapFiles =
      ["\(root)/boot/System.map-\(release)"] + folders.map { "\($0)/System.map" }
    self.shownPath = shownPath
  }

  /// One file, and beside it what belongs to `release`.
  init(file: String, release: String, root: String, shownPath: String) {
    self.init(release: release, root: root, shownPath: shownPath)
    kernelFiles = [file]
  }

  /// A folder that holds a kernel itself: `modules/VERSION` or a build tree.
  init(folder: String) {
    shownPath = folder
    kernelFiles =
      PackagePath.compressedEndings.map { "\(folder)/vmlinuz\($0)" }
      + PackagePath.compressedEndings.map { "\(folder)/vmlinux\($0)" }
      + ["\(folder)/build/vmlinux", "\(folder)/arch/x86/boot/bzImage"]
    moduleFolders = ["\(folder)/kernel", folder]
    configurationFiles = ["\(folder)/config", "\(folder)/.config"]
    systemMapFiles = ["\(folder)/System.map"]
  }

  /// Looks into `other`'s places as well, after its own.
  mutating func fallBack(on other: InstalledKernel) {
    root = other.root
    kernelFiles += other.kernelFiles
    moduleFolders += other.moduleFolders
    configurationFiles += other.configurationFiles
    systemMapFiles += other.systemMapFiles
  }

  /// Opens all of it; nil if no file of the kernel is there.
  func artefact() throws(ImageError) -> Artefact? {
    guard let kernel = try elf(kernelFiles) else { return nil }
    guard kernel.elf.outline.kind == .kernel else {
      throw ImageError(.unsupportedFormat, "is a module, where a kernel was expected")
        .inside(shortened(kernel.path))
    }
    var modules: [Artefact.Member] = []
    for name in PackagePath.moduleNames {
      let module = try elf(
        moduleFolders.flatMap { folder in
          PackagePath.compressedEndings.map { "\(folder)/arch/x86/kvm/\(name)\($0)" }
        })
      if let module { modules.append(Artefact.Member(name: shortened(module.path), module.elf)) }
    }
    let systemMap = try text(systemMapFiles).flatMap { map in
      map.contents.bytes.count >= PackageReader.smallestSystemMap ? map : nil
    }
    return Artefact(
      path: shownPath ?? kernel.path,
      kernel: Artefact.Member(name: shortened(kernel.path), kernel.elf),
      modules: modules,
      configuration: try text(configurationFiles), systemMap: systemMap,
      embeddedCommandLine: kernel.elf.commandLine)
  }

  private func elf(_ paths: [String]) throws(ImageError) -> (path: String, elf: UnwrappedElf)? {
    guard let (path, contents) = try firstThere(paths) else { return nil }
    do {
      return (path, try contents.unchanged { () throws(ImageError) in try UnwrappedElf(contents) })
    } catch {
      throw error.inside(shortened(path))
    }
  }

  private func text(_ paths: [String]) throws(ImageError) -> Artefact.Member? {
    let found: (String, Artefact.Contents)?
    do {
      found = try firstThere(paths)
    } catch {
      // It only adds to the kernel: Ubuntu keeps System.map from ordinary users, too.
      if error.code == .noPermission { return nil }
      throw error
    }
    guard let (path, contents) = found else { return nil }
    return Artefact.Member(name: shortened(path), contents: contents, layers: [])
  }

  /// Maps the first of `paths` that is there. One that may not be read counts only if no other is
  /// there: Ubuntu keeps /boot/vmlinuz from ordinary users.
  private func firstThere(
    _ paths: [String]
  ) throws(ImageError) -> (String, Artefact.Contents)? {
    var refused: ImageError?
    for path in paths {
      do {
        return (path, Artefact.Contents(try ImageBytes.mapping(path: path)))
      } catch {
        switch error.code {
        case .notFound: continue
        case .noPermission: refused = refused ?? error.inside(shortened(path))
        default: throw error.inside(shortened(path))
        }
      }
    }
    if let refused { throw refused }
    return nil
  }

  /// The path below the folder that was asked for, or below the root that it belongs to.
  private func shortened(_ path: String) -> String {
    if path == shownPath { return Artefact.fileName(path) }
    let folders = [shownPath, root].compactMap { $0.map { $0 + "/" } }
    let above = folders.first(where: path.hasPrefix)
    return String(path.dropFirst(above?.count ?? 0))
  }
}

extension Artefact {
  /// The image of the kernel that runs, found by its release, with its kvm-intel module.
  ///
  /// - Throws: `notFound` naming the places that were tried; `noPermission` if one is there that
  ///   this user may not read.
  public static func running() throws(ImageError) -> Artefact {
    var name = utsname()
    guard uname(&name) == 0 else { throw .system(errno, "the running kernel gives no name") }
    let release = withUnsafeBytes(of: &name.release) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    return try running(release: release, root: "")
  }

  /// The same below another root, for tests.
  static func running(release: String, root: String) throws(ImageError) -> Artefact {
    var kernel = InstalledKernel(release: release, root: root)
    // NixOS names no release there, but it is by definition the kernel that was booted.
    kernel.kernelFiles.append("\(root)/run/booted-system/kernel")
    guard let artefact = try kernel.artefact() else {
      throw ImageError(
        .notFound,
        "no image of the running kernel \(release) is there (tried \(kernel.kernelFiles[0]), "
          + "\(root)/boot/vmlinuz-\(release) and \(kernel.kernelFiles.count - 2) more)")
    }
    return artefact
  }
}
