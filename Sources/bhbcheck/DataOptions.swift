import ArgumentParser
import Foundation
import Inspection
import KernelImage
import Mitigation

/// Data files of the user's that extend or override by id what is compiled in.
struct DataOptions: ParsableArguments {
  @Option(
    name: .customLong("data"),
    help: ArgumentHelp(
      "A folder with data files (\(DataFile.Kind.allCases.map(\.rawValue).joined(separator: ", "))) "
        + "that add to the built-in ones, or take their place by id; may be repeated.",
      valueName: "folder"))
  var folders: [String] = []

  /// What boot paths are made of and judged by.
  ///
  /// The later one wins: PREFIX/share/bhbcheck beside the running binary, XDG_CONFIG_HOME/bhbcheck,
  /// then `--data`.
  func catalog() throws -> MatrixCatalog {
    var files: [DataFile] = []
    for (folder, name) in Self.standing where FileManager.default.fileExists(atPath: folder) {
      files += try DataFile.files(in: folder, reportedAs: name)
    }
    for folder in folders { files += try DataFile.files(in: folder) }
    return try MatrixCatalog.standard(overrides: files)
  }

  /// The folders that need not be named, each with what reports call it: they hold no path of a
  /// machine.
  private static var standing: [(folder: String, name: String)] {
    var found: [(String, String)] = []
    if let binary = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe") {
      let prefix = URL(fileURLWithPath: binary).deletingLastPathComponent()
        .deletingLastPathComponent()
      found.append((prefix.appending(path: "share/bhbcheck").path(), "PREFIX/share/bhbcheck"))
    }
    let environment = ProcessInfo.processInfo.environment
    // The XDG base directory specification: an empty or relative value counts as none.
    let configuration = environment["XDG_CONFIG_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
    if let base = configuration ?? environment["HOME"].map({ $0 + "/.config" }) {
      found.append((base + "/bhbcheck", "XDG_CONFIG_HOME/bhbcheck"))
    }
    return found
  }
}

extension MatrixCatalog {
  /// What reports say of the user's files.
  var reported: [Report.Override] {
    get throws {
      try overrides.map { file in
        Report.Override(
          file: file.path,
          hash: try file.bytes.withUnsafeBytes { bytes throws(ImageError) in
            try ContentHash.sha256(bytes)
          })
      }
    }
  }
}
