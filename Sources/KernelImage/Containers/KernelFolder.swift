internal import Glibc

/// A folder that holds kernels: `/lib/modules/VERSION`, `/lib/modules`, `/boot`, a build tree.
struct KernelFolder {
  private let path: String
  private let names: [String]

  init(_ path: String) throws(ImageError) {
    var path = Substring(path)
    while path.count > 1, path.hasSuffix("/") { path = path.dropLast() }
    self.path = String(path)
    names = try Self.list(self.path)
  }

  /// Every kernel in the folder, in ascending order of its name's numbers.
  func artefacts() throws(ImageError) -> [Artefact] {
    let several = names.filter(isVersionedKernel)
    if !several.isEmpty { return try each(several.map(bootKernel)) }
    if let single = try ownKernel().artefact() { return [single] }
    // /lib/modules: one folder per version, some of them only leftovers.
    var found: [Artefact] = []
    for name in names {
      let folder = "\(path)/\(name)"
      guard Self.isFolder(folder), Self.isFolder("\(folder)/kernel") else { continue }
      do {
        if let artefact = try Self.moduleFolder(folder).artefact() { found.append(artefact) }
      } catch {
        found.append(Artefact(path: folder, failure: error))
      }
    }
    guard !found.isEmpty else {
      throw ImageError(
        .noKernel,
        "is a folder without a kernel (looked for vmlinuz-*, vmlinux-*, vmlinuz, vmlinux, "
          + "arch/x86/boot/bzImage and the image of a folder of modules)")
    }
    return found
  }

  private func each(_ kernels: [InstalledKernel]) throws(ImageError) -> [Artefact] {
    var found: [Artefact] = []
    for kernel in kernels {
      do {
        if let artefact = try kernel.artefact() { found.append(artefact) }
      } catch {
        // One bad kernel must not hide the others, nor go unmentioned.
        if kernels.count == 1 { throw error }
        found.append(Artefact(path: kernel.shownPath ?? path, failure: error))
      }
    }
    guard !found.isEmpty else {
      throw ImageError(.noKernel, "is a folder whose kernels are all dangling links")
    }
    return found
  }

  private func isVersionedKernel(_ name: String) -> Bool {
    guard !PackagePath.notKernels.contains(where: name.hasSuffix) else { return false }
    if name.hasPrefix("vmlinuz-") || name.hasPrefix("vmlinux-") { return true }
    // Gentoo's name; much else starts like it, so the contents decide.
    guard name.hasPrefix("kernel-") else { return false }
    guard let file = try? ImageBytes.mapping(path: "\(path)/\(name)") else { return false }
    return FileKind(file.raw) != .other
  }

  /// A kernel of a folder such as /boot.
  private func bootKernel(_ name: String) -> InstalledKernel {
    let release = name.drop { $0 != "-" }.dropFirst()
    let file = "\(path)/\(name)"
    var kernel = InstalledKernel(
      file: file, release: String(release), root: Self.root(above: "boot", of: path) ?? path,
      shownPath: file)
    kernel.configurationFiles.insert("\(path)/config-\(release)", at: 0)
    kernel.systemMapFiles.insert("\(path)/System.map-\(release)", at: 0)
    return kernel
  }

  /// The kernel of this folder itself.
  private func ownKernel() -> InstalledKernel { Self.moduleFolder(path) }

  private static func moduleFolder(_ folder: String) -> InstalledKernel {
    var kernel = InstalledKernel(folder: folder)
    guard let resolved = resolve(folder) else { return kernel }
    let release = Artefact.fileName(resolved)
    let parent = String(resolved.dropLast(release.count + 1))
    if let root = root(above: "usr/lib/modules", of: parent)
      ?? root(above: "lib/modules", of: parent)
    {
      kernel.fallBack(on: InstalledKernel(release: release, root: root))
    }
    return kernel
  }

  /// What is left of `folder` without `tail`; nil if it does not end so.
  private static func root(above tail: String, of folder: String) -> String? {
    guard let resolved = resolve(folder), resolved.hasSuffix("/" + tail) else { return nil }
    return String(resolved.dropLast(tail.count + 1))
  }

  /// The path without links.
  private static func resolve(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  private static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// The names in a folder, in ascending order of the numbers in them.
  private static func list(_ path: String) throws(ImageError) -> [String] {
    guard let folder = opendir(path) else { throw .system(errno, "cannot be listed") }
    defer { closedir(folder) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(folder) else {
        guard errno == 0 else { throw .system(errno, "cannot be listed") }
        break
      }
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted(by: areInVersionOrder)
  }

  /// Whether `left` comes before `right` when runs of digits compare as numbers: 6.9 before 6.12.
  static func areInVersionOrder(_ left: String, _ right: String) -> Bool {
    var left = Substring(left).utf8
    var right = Substring(right).utf8
    while let one = left.first, let other = right.first {
      if isDigit(one) && isDigit(other) {
        let (first, second) = (number(&left), number(&right))
        if first.count != second.count { return first.count < second.count }
        if !first.elementsEqual(second) { return first.lexicographicallyPrecedes(second) }
      } else {
        if one != other { return one < other }
        left.removeFirst()
        right.removeFirst()
      }
    }
    return left.isEmpty && !right.isEmpty
  }

  private static func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  /// Takes a run of digits off, without the zeros it starts with.
  private static func number(_ text: inout Substring.UTF8View) -> Substring.UTF8View {
    let digits = text.prefix(while: isDigit)
    text = text.dropFirst(digits.count)
    return digits.drop { $0 == UInt8(ascii: "0") }
  }
}
