import Foundation
import KernelImage

/// The files that an audit looks at.
public struct AuditFiles: Sendable {
  /// In ascending order, each once.
  public private(set) var paths: [String] = []

  /// - Parameters:
  ///   - arguments: files, and folders that are searched for files whose names are a kernel's.
  ///   - shard: the part of them that is wanted; nil: all.
  public init(_ arguments: [String], shard: Shard? = nil) {
    var found: Set<String> = []
    for argument in arguments {
      var isFolder: ObjCBool = false
      let exists = FileManager.default.fileExists(atPath: argument, isDirectory: &isFolder)
      if exists, isFolder.boolValue {
        found.formUnion(Self.kernels(in: argument))
      } else {
        // One that is not there gets a row with its error.
        found.insert(argument)
      }
    }
    paths = found.sorted().filter { shard?.holds($0) ?? true }
  }

  /// The files below a folder whose names are a kernel's; the folder itself if there is none, which
  /// is then told as an error of that folder.
  private static func kernels(in folder: String) -> [String] {
    var base = Substring(folder)
    while base.count > 1, base.hasSuffix("/") { base = base.dropLast() }
    guard let names = FileManager.default.enumerator(atPath: folder) else { return [folder] }
    var found: [String] = []
    for case let name as String in names {
      guard names.fileAttributes?[.type] as? FileAttributeType == .typeRegular,
        isKernel(name.split(separator: "/").last ?? "")
      else { continue }
      found.append("\(base)/\(name)")
    }
    return found.isEmpty ? [folder] : found
  }

  /// Whether a kernel, or a package that holds one, is called so.
  static func isKernel(_ name: Substring) -> Bool {
    let packages = [".deb", ".rpm", ".pkg.tar.zst", ".pkg.tar.xz", ".apk"]
    if let suffix = packages.first(where: name.hasSuffix) {
      let stem = name.dropLast(suffix.count)
      let starts = ["linux-image", "linux-binary", "kernel-", "linux-6", "linux-7", "linux-lts"]
      let others = [
        "-headers", "-devel", "-dbg", "-debug", "-doc", "-tools", "-modules-extra", "-source",
        "-libs", "-srpm", ".src",
      ]
      return starts.contains(where: stem.hasPrefix) && !others.contains(where: stem.contains)
    }
    let notKernels = [
      ".hmac", ".sig", ".sign", ".p7s", ".sha256", ".txt", ".old.sig", ".h", ".lds",
    ]
    guard !notKernels.contains(where: name.hasSuffix) else { return false }
    return ["vmlinuz", "vmlinux", "bzImage"].contains(where: name.hasPrefix)
  }
}

/// One of several parts of an audit, for machines that share it.
public struct Shard: Sendable, Hashable {
  /// From 1 to `count`.
  public let number: Int
  public let count: Int

  public init?(number: Int, of count: Int) {
    guard count >= 1, (1...count).contains(number) else { return nil }
    self.number = number
    self.count = count
  }

  /// Parses `K/N`.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let number = Int(parts[0]), let count = Int(parts[1]) else {
      return nil
    }
    self.init(number: number, of: count)
  }

  /// Whether a file is in this part: by its name alone, so that it stays there when others come.
  public func holds(_ path: String) -> Bool {
    // FNV-1a (draft-eastlake-fnv): the same on every machine and in every process.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in path.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return hash % UInt64(count) == UInt64(number - 1)
  }
}
