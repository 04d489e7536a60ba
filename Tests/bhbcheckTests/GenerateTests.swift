import Foundation
import Testing

@Suite("generate") struct GenerateTests {
  static let series = Tool.repository.appending(components: "patches", "linux-6.12")

  private static func patches() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: series.path()).filter {
      $0.hasSuffix(".patch")
    }.sorted().map { series.appending(component: $0).path() }
  }

  @Test func ourSeriesTwiceIsTheSame() throws {
    let folder = try Folder()
    for name in ["one", "two"] {
      let result = try Tool().run(["generate"] + Self.patches() + ["--out", folder.path(name)])
      #expect(result.status == 0 && result.errors == "")
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path("one"))
    #expect(names.count == 6)
    for name in names {
      #expect(
        FileManager.default.contentsEqual(
          atPath: folder.path("one/\(name)"), andPath: folder.path("two/\(name)")), "\(name)")
    }
  }

  @Test func aMalformedPatchIsNamedWithItsLine() throws {
    let folder = try Folder()
    let patch = try folder.write("bad.patch", "--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a\n")
    let result = try Tool.run("generate", patch, "--out", folder.path("out"))
    #expect(result.status == 65)
    #expect(result.errorLines.count == 1)
    #expect(result.errors.contains("bad.patch:3: "))
    #expect(!FileManager.default.fileExists(atPath: folder.path("out")))
  }

  @Test func aReversedPatchIsRefused() throws {
    let folder = try Folder()
    let patch = try folder.write(
      "back.patch",
      "--- a/arch/x86/include/uapi/asm/kvm_para.h\n+++ b/arch/x86/include/uapi/asm/kvm_para.h\n"
        + "@@ -1,2 +1 @@\n x\n-#define KVM_HINTS_BHB_SHORT_ADEQUATE 1\n")
    let result = try Tool.run("generate", patch, "--out", folder.path("out"))
    #expect(result.status == 65)
    #expect(result.errors.contains("back.patch:5: ") && result.errors.contains("reversed"))
  }

  @Test func aMissingPatchIsNoInput() throws {
    let result = try Tool.run("generate", "/nonexistent.patch", "--out", "/nonexistent")
    #expect(result.status == 66)
  }

  @Test func documentationAlone() throws {
    let folder = try Folder()
    let patch = try folder.write(
      "docs.patch",
      "--- a/Documentation/admin-guide/hw-vuln/spectre.rst\n"
        + "+++ b/Documentation/admin-guide/hw-vuln/spectre.rst\n@@ -1 +1,2 @@\n BHI\n+more\n")
    let result = try Tool.run("generate", patch, "--out", folder.path("out"))
    #expect(result.status == 0)
    #expect(result.output.hasPrefix("Nothing to test. The patch changes documentation"))
  }

  /// The whole loop on images of our own: a wrong build stands for the one before the patch.
  @Test(.enabled(if: Tool.hasSamples, "make -C vmlinux-samples")) func theLoopOnSamples() throws {
    let folder = try Folder()
    let arguments =
      try ["generate"] + Self.patches() + [
        "--before", Tool.sample("short"), "--after", Tool.sample("long-immediate"), "--out",
        folder.path("out"), "--no-mutants",
      ]
    let written = try Tool().run(arguments)
    #expect(written.status == 0, "\(written.errors)")
    let good = try Tool().run(arguments + ["--check", "--format", "json"])
    #expect(good.status == 0, "\(good.errors)")
    let results = good.objects("results")
    #expect(results.contains { $0["kind"] as? String == "changes" })
    #expect(results.allSatisfy { ($0["faults"] as? [String])?.isEmpty == true })
    // Another build than the plan was made for is noticed.
    var other = arguments
    other[other.firstIndex(of: "--after").map { $0 + 1 } ?? 0] = Tool.sample("deficient")
    let bad = try Tool().run(other + ["--check", "--format", "ktap"])
    #expect(bad.status == 1)
    #expect(bad.output.contains("not ok"))
  }

  /// Some mutants show beside the decision table alone: such paths have to be in the plan.
  @Test(.enabled(if: Tool.hasSamples, "make -C vmlinux-samples")) func noMutantIsMissed() throws {
    let folder = try Folder()
    let result = try Tool().run(
      ["generate"] + Self.patches() + [
        "--after", Tool.sample("long-immediate"), "--out", folder.path("out"), "--check",
        "--format", "json", "--jobs", "2", "--limit", "120",
      ])
    #expect(result.status == 0, "\(result.errors)")
    let check = try #require(
      try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    #expect(check["missed"] as? [String] == [])
    #expect((check["killable"] as? Int ?? 0) > 60)
    #expect(check["caught"] as? Int == check["killable"] as? Int)
    #expect(result.output.contains("ice-lake-sp+"))
  }

  @Test func checkNeedsABuild() throws {
    let result = try Tool.run("generate", "x.patch", "--check", "--out", "x")
    #expect(result.status == 64)
  }
}
