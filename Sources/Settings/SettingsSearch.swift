import Foundation

extension GateSettings {
  /// The name of the file that a kernel tree keeps.
  public static let fileName = ".bhbcheck.yaml"

  /// The settings file that counts in `directory`: the nearest one in it or in a folder above it,
  /// up to the top of the git working tree. Outside of one only `directory` itself counts, so that
  /// nobody's file in /tmp or / decides.
  ///
  /// - Parameter directory: an absolute path.
  public static func file(for directory: String) -> String? {
    let files = FileManager.default
    var folders: [String] = []
    var folder = URL(filePath: directory, directoryHint: .isDirectory).standardizedFileURL
    while true {
      folders.append(folder.path(percentEncoded: false))
      // A file in linked working trees, else a folder.
      if files.fileExists(atPath: folder.appending(component: ".git").path(percentEncoded: false)) {
        break
      }
      let above = folder.deletingLastPathComponent().standardizedFileURL
      guard above.pathComponents.count < folder.pathComponents.count else {
        folders = [folders[0]]
        break
      }
      folder = above
    }
    return folders.lazy.map { $0.hasSuffix("/") ? $0 + fileName : $0 + "/" + fileName }
      .first { files.fileExists(atPath: $0) }
  }
}
