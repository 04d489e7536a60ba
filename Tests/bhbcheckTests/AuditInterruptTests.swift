import Foundation
import Testing

/// Audits that are ended in the middle.
@Suite(
  "Interrupted audits", .enabled(if: Tool.hasSamples, "to build them: make -C vmlinux-samples"))
struct AuditInterruptTests {
  private struct Row: Decodable, Hashable {
    var path: String
    var known: Bool
    var sha256: String?
  }

  private func rows(_ output: String) throws -> [Row] {
    try output.split(separator: "\n", omittingEmptySubsequences: true).map {
      try JSONDecoder().decode(Row.self, from: Data($0.utf8))
    }
  }

  /// Started again, it does what is left: nothing that was finished is lost, or done again.
  @Test(arguments: [SIGINT, SIGKILL])
  func goOnWhereTheyWere(signal: Int32) throws {
    let folder = try Folder()
    let kernels = folder.url.appending(component: "kernels", directoryHint: .isDirectory)
    try FileManager.default.createDirectory(at: kernels, withIntermediateDirectories: true)
    let kernel = try Data(contentsOf: URL(filePath: Tool.sample("short")))
    let count = 8
    for number in 0..<count {
      try (kernel + Data([UInt8(number)])).write(
        to: kernels.appending(component: "vmlinux-\(number)"))
    }
    let arguments = [
      "audit", "--jobs", "2", "--no-discover", "--format", "json", "--database",
      folder.path("audit.sqlite"), kernels.path(),
    ]
    let output = folder.path("first")
    try folder.write("first", "")
    // Whoever runs the tests may have SIGINT ignored, and programs inherit that.
    var tool = Tool(executable: URL(filePath: "/usr/bin/env"))
    tool.isKilled = true
    tool.standardOutput = try FileHandle(forWritingTo: URL(filePath: output))
    _ = try tool.run(["--default-signal=INT", Tool.built.path()] + arguments) { process in
      while let text = try? String(contentsOfFile: output, encoding: .utf8),
        text.split(separator: "\n").count < 2, kill(process, 0) == 0
      { usleep(1000) }
      kill(process, signal)
    }
    let first = try rows(String(contentsOfFile: output, encoding: .utf8))
    #expect((2..<count).contains(first.count), "\(first.count) of \(count) were finished")

    let second = try rows(Tool().run(arguments).output)
    #expect(second.count == count)
    let known = Set(second.filter(\.known).map(\.path))
    // A row is kept before it is printed: one more for each job may be known.
    #expect(known.isSuperset(of: first.map(\.path)))
    #expect(known.count <= first.count + 2)
    #expect(Set(second.map(\.sha256)).count == count)

    let third = try rows(Tool().run(arguments).output)
    #expect(third.count == count && third.allSatisfy(\.known))
  }
}
