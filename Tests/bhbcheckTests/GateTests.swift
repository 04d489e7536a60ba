import Foundation
import Testing

/// The gate's options and what it writes.
@Suite("Gate", .enabled(if: Tool.hasSamples, "to build them: make -C vmlinux-samples"))
struct GateTests {
  @Test func oneLineOnStandardOutput() throws {
    for sample in ["short", "long-variables", "deficient", "malformed-range"] {
      let result = try Tool.run("gate", Tool.sample(sample))
      #expect(result.output.hasSuffix("\n"))
      #expect(result.output.split(separator: "\n").count == 1)
      #expect(result.errors == "")
    }
    let passed = try Tool.run("gate", "--sample", "long")
    #expect(passed.output == "sample long: passed\n")
  }

  @Test func jsonIsTheReportAndTheGate() throws {
    let result = try Tool.run("gate", "--sample", "short", "--format", "json")
    let gate = result.document["gate"] as? [String: Any]
    #expect(gate?["passed"] as? Bool == false)
    let reasons = gate?["reasons"] as? [[String: Any]] ?? []
    #expect(reasons.contains { $0["rule"] as? String == "BHB002" })
    #expect(result.objects("images").count == 1)

    let passed = try Tool.run("gate", "--sample", "long", "--format", "json")
    #expect((passed.document["gate"] as? [String: Any])?["passed"] as? Bool == true)
    let unread = try Tool.run("gate", "/nonexistent", "--format", "json")
    #expect((unread.document["gate"] as? [String: Any])?["passed"] is NSNull)
    #expect(unread.objects("images").first?["error"] is [String: Any])
  }

  @Test func allowedRulesDoNotFail() throws {
    let deficient = Tool.sample("deficient")
    #expect(try Tool.run("gate", deficient).status == 1)
    let document = try Tool.run("inspect", deficient, "--format", "json").objects("images")
    let findings = document.first?["findings"] as? [[String: Any]] ?? []
    let rules = Set(findings.compactMap { $0["id"] as? String })
    #expect(
      try Tool().run(["gate", deficient] + rules.flatMap { ["--allow", $0] }).status == 0)
  }

  @Test func settingsAreFoundAboveAndTheCommandLineWins() throws {
    let folder = try Folder()
    let deep = folder.url.appending(components: "arch", "x86")
    try FileManager.default.createDirectory(at: deep, withIntermediateDirectories: true)
    try folder.write(".git", "")
    try folder.write(".bhbcheck.yaml", "require: [sites=bpf]\n")
    let tool = Tool(folder: deep)
    #expect(try tool.run(["gate", "--sample", "long"]).status == 1)
    #expect(
      try tool.run(["gate", "--sample", "long", "--require", "long-sequence"]).status == 0)
    let other = try folder.write("other.yaml", "fail-on: error\n")
    #expect(try tool.run(["gate", "--sample", "long", "--settings", other]).status == 0)
    // Other commands have no settings.
    #expect(try tool.run(["inspect", "--static", "--sample", "long"]).status == 0)
  }

  @Test func aBaselineOfTheSettingsCountsFromTheirFolder() throws {
    let folder = try Folder()
    let report = try Tool.run("inspect", "--sample", "short", "--format", "json")
    try folder.write("base.json", report.output)
    try folder.write(".git", "")
    try folder.write(".bhbcheck.yaml", "baseline: base.json\n")
    let deep = folder.url.appending(component: "arch")
    try FileManager.default.createDirectory(at: deep, withIntermediateDirectories: true)
    #expect(try Tool(folder: deep).run(["gate", "--sample", "short"]).status == 0)
  }

  @Test func anUnknownKeyIsAnErrorWithItsLine() throws {
    let folder = try Folder()
    try folder.write(".bhbcheck.yaml", "# ours\nfail_on: error\n")
    let result = try Tool(folder: folder.url).run(["gate", "--sample", "long"])
    #expect(result.status == 64)
    #expect(result.output == "")
    #expect(result.errors.contains(".bhbcheck.yaml:2: unknown key 'fail_on'"))
  }

  @Test func aBaselineWithoutBootPathsSaysNothing() throws {
    let folder = try Folder()
    let report = try Tool.run("inspect", "--static", "--sample", "long", "--format", "json")
    let file = try folder.write("static.json", report.output)
    let result = try Tool.run("gate", "--sample", "long", "--baseline", file)
    #expect(result.status == 65)
    #expect(result.errors.contains("expected a report with boot paths, found none"))
  }

  @Test func aReportOfSeveralImagesIsNoBaseline() throws {
    let folder = try Folder()
    let report = try Tool.run(
      "inspect", "--static", "--sample", "long", "--sample", "short", "--format", "json")
    let file = try folder.write("two.json", report.output)
    let result = try Tool.run("gate", "--sample", "long", "--baseline", file)
    #expect(result.status == 65)
    #expect(result.errors.contains("expected one image, found 2: sample long, sample short"))
  }
}
