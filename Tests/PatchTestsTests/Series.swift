import Foundation
import PatchTests

/// Patches for tests: our own series, and small ones.
enum Series {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../patches/linux-6.12").standardizedFileURL

  /// The series for Linux 6.12, with its cover letter.
  static func ours() throws -> [KernelPatch] {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path())
    var patches: [KernelPatch] = []
    for name in names.sorted() where name.hasSuffix(".patch") {
      patches += try PatchReader.patches(inFile: folder.appending(path: name).path())
    }
    return patches
  }

  /// One hunk that changes `file`; lines with their marks.
  static func patch(_ file: String, _ lines: [String], section: String = "") -> String {
    let old = lines.count { !$0.hasPrefix("+") }
    let new = lines.count { !$0.hasPrefix("-") }
    return """
      diff --git a/\(file) b/\(file)
      --- a/\(file)
      +++ b/\(file)
      @@ -10,\(old) +10,\(new) @@ \(section)
      \(lines.joined(separator: "\n"))

      """
  }

  static func read(_ text: String) throws -> [KernelPatch] {
    try PatchReader.patches(text, source: "a.patch")
  }
}
