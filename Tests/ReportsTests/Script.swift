import Foundation
import Testing

/// A folder for a test's files, removed with the last reference to it.
final class Scratch {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory
      .appending(component: "bhbcheck-\(UUID().uuidString)", directoryHint: .isDirectory)
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  @discardableResult
  func write(_ name: String, _ text: String) throws -> String {
    let file = url.appending(component: name)
    try Data(text.utf8).write(to: file)
    return file.path()
  }

  func files() throws -> [URL] {
    try FileManager.default.contentsOfDirectory(at: url, includingPropertiesForKeys: nil)
      .sorted { $0.path() < $1.path() }
  }
}

/// The programs under scripts/ that hold our documents against other people's readers.
enum Script {
  struct Result {
    var status: Int32
    var errors: String
  }

  /// Runs a script of Python; nil if something that it needs is missing, which is then said.
  static func run(_ name: String, _ arguments: [String]) throws -> Result? {
    let script = Snapshots.repository.appending(components: "scripts", name).path()
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["python3", script] + arguments
    let errors = Pipe()
    process.standardError = errors
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    let text = String(
      decoding: try errors.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    // The script's word for something missing, and env's for a missing python3.
    if [69, 127].contains(process.terminationStatus) {
      print("not checked: \(text.isEmpty ? "python3 is missing (apt-get install python3)" : text)")
      return nil
    }
    return Result(status: process.terminationStatus, errors: text)
  }
}
