/// What a member of a package is, told by its path.
///
/// Distributions agree on names, not on folders: `boot/vmlinuz-VERSION`,
/// `usr/lib/modules/VERSION/vmlinuz`, `usr/lib/debug/boot/vmlinux-VERSION` … A version here is
/// only a text that belongs together; nothing is concluded from it.
struct PackagePath {
  enum Role: Hashable {
    /// An ELF kernel, perhaps compressed.
    case vmlinux
    /// A boot image.
    case bootImage
    case module
    case configuration
    case systemMap
  }

  /// The path without `./` or `/` at its start.
  let path: String
  let role: Role
  /// The version that the path names; empty if it names none.
  let version: String
  /// Whether it belongs to a package of debug information, whose modules hold no code.
  let isDebug: Bool

  /// The endings under which distributions compress kernels and modules.
  static let compressedEndings = ["", ".xz", ".zst", ".gz"]
  /// The modules that matter here: the one that enters guests, and what it is built upon.
  static let moduleNames = ["kvm-intel.ko", "kvm.ko"]

  init?(_ memberPath: String) {
    var parts = memberPath.split(separator: "/")
    if parts.first == "." { parts.removeFirst() }
    guard let file = parts.last, !file.hasPrefix(".") || file == ".config" else { return nil }
    guard let (role, suffix) = Self.role(of: file, in: parts.dropLast()) else { return nil }
    self.role = role
    path = parts.joined(separator: "/")
    isDebug = parts.starts(with: ["usr", "lib", "debug"])
    version = Self.moduleFolder(parts) ?? suffix
  }

  /// VERSION in `…/modules/VERSION/…`.
  private static func moduleFolder(_ parts: [Substring]) -> String? {
    guard let folder = parts.dropLast(2).lastIndex(of: "modules") else { return nil }
    return String(parts[folder + 1])
  }

  private static func role(
    of file: Substring, in folders: ArraySlice<Substring>
  ) -> (Role, version: String)? {
    let plain = withoutCompression(file)
    if plain == "vmlinux" { return (.vmlinux, "") }
    if plain == "vmlinuz" || plain == "bzImage" { return (.bootImage, "") }
    if moduleNames.contains(String(plain)) { return (.module, "") }
    if file == ".config" { return (.configuration, "") }
    // The short names are common ones elsewhere; in a folder of modules they are a kernel's.
    let isInModuleFolder = folders.dropLast().last == "modules"
    if file == "config", isInModuleFolder { return (.configuration, "") }
    if file == "System.map" { return (.systemMap, "") }
    for (prefix, role): (String, Role) in [
      ("vmlinux-", .vmlinux), ("vmlinuz-", .bootImage), ("config-", .configuration),
      ("System.map-", .systemMap),
    ] where file.hasPrefix(prefix) {
      let name = role == .vmlinux || role == .bootImage ? plain : file
      guard !notKernels.contains(where: file.hasSuffix) else { return nil }
      return (role, String(name.dropFirst(prefix.count)))
    }
    return nil
  }

  /// Endings of files that lie beside a kernel under its name.
  static let notKernels = [".hmac", ".sig", ".sign", ".p7s", ".py", ".sha256", ".sha512", ".asc"]

  private static func withoutCompression(_ file: Substring) -> Substring {
    for ending in compressedEndings where !ending.isEmpty && file.hasSuffix(ending) {
      return file.dropLast(ending.count)
    }
    return file
  }
}
