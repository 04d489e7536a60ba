import Foundation
import Testing

/// The formats as the command line writes them.
@Suite("Formats") struct FormatTests {
  private static let path = ["--sample", "long", "--cpu", "ice-lake-sp", "--cmdline", ""]

  @Test(
    arguments: [
      ("text", "cpu "), ("json", "{\n"), ("html", "<!DOCTYPE html>"), ("sarif", "{\n"),
      ("junit", "<?xml "), ("ktap", "KTAP version 1\n"), ("openvex", "{\n"), ("dot", "digraph "),
    ])
  func everyFormatCanBeAskedFor(format: String, start: String) throws {
    let result = try Tool(environment: ["SOURCE_DATE_EPOCH": "1767225600"])
      .run(["paths", "--format", format] + Self.path)
    #expect(result.output.hasPrefix(start))
    #expect(result.errors == "")
    #expect(result.output.hasSuffix("\n"))
  }

  @Test func aReportGoesIntoFilesAsWell() throws {
    let folder = try Folder()
    let result = try Tool(folder: folder.url).run(
      ["paths", "--report", "html=page.html", "--report", "json=report.json"] + Self.path)
    #expect(result.output.hasPrefix("cpu "))
    let page = try String(contentsOfFile: folder.path("page.html"), encoding: .utf8)
    #expect(page.contains("runs_sequence"), "a page without patched bytes")
    let report = try String(contentsOfFile: folder.path("report.json"), encoding: .utf8)
    // That there is a page does not change what the others hold.
    #expect(
      report
        == (try Tool.run(
          "paths", "--sample", "long", "--cpu", "ice-lake-sp", "--cmdline", "", "--format", "json"
        ).output))
  }

  @Test func aFileThatCannotBeWrittenEndsTheRun() throws {
    let result = try Tool.run(
      "inspect", "--static", "--sample", "long", "--report", "json=/nonexistent/report.json")
    #expect(result.status == 70)
    #expect(result.errorLines.count == 1)
    #expect(try Tool.run("inspect", "--sample", "long", "--report", "pdf=x").status == 64)
  }

  @Test func theTimeOfADocumentCanBeFixed() throws {
    let tool = Tool(environment: ["SOURCE_DATE_EPOCH": "1767225600"])
    let result = try tool.run(["inspect", "--static", "--sample", "long", "--format", "openvex"])
    #expect(result.document["timestamp"] as? String == "2026-01-01T00:00:00Z")
  }

  @Test func quietIsALineAnImage() throws {
    let result = try Tool.run(
      "inspect", "--static", "--sample", "short", "--sample", "long", "--quiet")
    #expect(result.output.split(separator: "\n").count == 2)
    #expect(result.errors == "")
    #expect(try Tool.run("inspect", "--quiet", "--verbose").status == 64)
  }

  @Test func verboseSpeaksOnStandardErrorAlone() throws {
    let result = try Tool.run("inspect", "--static", "--sample", "long", "--verbose")
    #expect(result.output == (try Tool.run("inspect", "--static", "--sample", "long").output))
    #expect(result.errorLines.contains { $0.hasPrefix("bhbcheck: inspecting sample long: ") })
  }

  @Test func aComparisonCanBeAPage() throws {
    let folder = try Folder()
    let report = folder.path("long.json")
    let inspected = try Tool.run("inspect", "--sample", "long", "--format", "json", "--no-discover")
    try folder.write("long.json", inspected.output)
    let result = try Tool.run("diff", report, report, "--format", "html")
    #expect(result.status == 0)
    #expect(result.output.hasPrefix("<!DOCTYPE html>"))
    #expect(
      try Tool.run("diff", report, report, "--quiet").output.split(separator: "\n").count == 1)
  }
}
