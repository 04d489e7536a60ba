import Foundation
import Testing

/// What each command says of itself, held against Tests/Snapshots/Help.
@Suite("Help") struct HelpTests {
  @Test(arguments: [
    "bhbcheck", "inspect", "paths", "diff", "gate", "generate", "boot", "mutate", "audit",
  ])
  func isAsRecorded(command: String) throws {
    let arguments = command == "bhbcheck" ? ["--help"] : ["help", command]
    // Help is as wide as the terminal says.
    let tool = Tool(environment: ["COLUMNS": "80"])
    let result = try tool.run(arguments)
    #expect(result.status == 0)
    #expect(result.errors == "")
    let file = Tool.repository.appending(
      components: "Tests", "Snapshots", "Help", "\(command).txt")
    if ProcessInfo.processInfo.environment["BHBCHECK_RENEW_SNAPSHOTS"] == "1" {
      try Data(result.output.utf8).write(to: file)
      return
    }
    let expected = try String(contentsOf: file, encoding: .utf8)
    let renewal = "BHBCHECK_RENEW_SNAPSHOTS=1 swift test --filter bhbcheckTests writes it anew"
    #expect(result.output == expected, "\(renewal)")
  }

  @Test func everyCommandIsRecorded() throws {
    let overview = try Tool.run("--help").output
    let listed = overview.components(separatedBy: "SUBCOMMANDS:\n").last?
      .split(separator: "\n").compactMap { line in
        line.hasPrefix("  ") && !line.hasPrefix("   ") && !line.hasPrefix("  See")
          ? line.split(separator: " ").first.map(String.init) : nil
      }
    let recorded = try FileManager.default.contentsOfDirectory(
      atPath: Tool.repository.appending(components: "Tests", "Snapshots", "Help").path())
    #expect(Set(listed ?? []).union(["bhbcheck"]) == Set(recorded.map { String($0.dropLast(4)) }))
  }
}
