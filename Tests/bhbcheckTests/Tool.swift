import Foundation
import Testing

/// The built executable, run as users run it.
struct Tool {
  /// What one run left.
  struct Result {
    var status: Int32
    var output: String
    var errors: String

    /// The output as a JSON object.
    var document: [String: Any] {
      (try? JSONSerialization.jsonObject(with: Data(output.utf8))) as? [String: Any] ?? [:]
    }

    /// The objects under a key of an object of the document.
    func objects(_ key: String) -> [[String: Any]] { document[key] as? [[String: Any]] ?? [] }

    var errorLines: [String] {
      errors.split(separator: "\n").map(String.init)
    }
  }

  static let repository = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// Beside the tests, wherever the build folder is.
  static let built: URL = {
    let arguments = CommandLine.arguments
    let bundle = arguments.firstIndex(of: "--test-bundle-path").flatMap {
      $0 + 1 < arguments.count ? arguments[$0 + 1] : nil
    }
    return URL(filePath: bundle ?? arguments[0]).deletingLastPathComponent()
      .appending(component: "bhbcheck")
  }()

  /// One of vmlinux-samples/.
  static func sample(_ name: String) -> String {
    repository.appending(components: "vmlinux-samples", "build", "\(name).vmlinux").path()
  }

  /// Whether `make -C vmlinux-samples` has run.
  static let hasSamples = FileManager.default.fileExists(atPath: sample("short"))

  var executable = built
  /// The folder it runs in; nil: the tests' own.
  var folder: URL?
  var environment: [String: String] = [:]
  var standardOutput: FileHandle?
  /// Whether a signal is to end it.
  var isKilled = false

  /// Runs it and waits for its end; `meanwhile` is called with the number of its process.
  func run(_ arguments: [String], meanwhile: (Int32) -> Void = { _ in }) throws -> Result {
    let scratch = try Folder()
    let (output, errors) = (scratch.path("out"), scratch.path("err"))
    for file in [output, errors] { try Data().write(to: URL(filePath: file)) }
    let process = Process()
    process.executableURL = executable
    process.arguments = arguments
    process.currentDirectoryURL = folder
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    // Files, because a pipe that nobody empties stops a process that writes much.
    process.standardOutput =
      try standardOutput ?? FileHandle(forWritingTo: URL(filePath: output))
    process.standardError = try FileHandle(forWritingTo: URL(filePath: errors))
    try process.run()
    meanwhile(process.processIdentifier)
    process.waitUntilExit()
    #expect(
      process.terminationReason == (isKilled ? .uncaughtSignal : .exit),
      "ended by a signal: \(process.terminationReason == .uncaughtSignal)")
    return Result(
      status: process.terminationStatus,
      output: try String(contentsOfFile: output, encoding: .utf8),
      errors: try String(contentsOfFile: errors, encoding: .utf8))
  }

  /// Runs the built executable.
  static func run(_ arguments: String...) throws -> Result { try Tool().run(arguments) }
}

/// A folder that is removed with the last reference to it.
final class Folder {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory
      .appending(component: "bhbcheck-\(UUID().uuidString)", directoryHint: .isDirectory)
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  func path(_ name: String) -> String { url.appending(path: name).path() }

  /// Writes a file and returns its path.
  @discardableResult
  func write(_ name: String, _ data: Data) throws -> String {
    try data.write(to: url.appending(path: name))
    return path(name)
  }

  @discardableResult
  func write(_ name: String, _ text: String) throws -> String {
    try write(name, Data(text.utf8))
  }
}
