import Foundation
import Testing

/// The same input gives the same bytes.
@Suite("Reproducible", .enabled(if: Tool.hasSamples, "to build them: make -C vmlinux-samples"))
struct ReproducibleTests {
  /// A right build, a wrong one, one that cannot be decided, and one that cannot be read.
  @Test(arguments: ["json", "sarif", "html"])
  func withAnyNumberOfJobs(format: String) throws {
    let folder = try Folder()
    let broken = try folder.write("broken", "no kernel\n")
    let images = ["long-variables", "inverted", "late-store"].map(Tool.sample) + [broken]
    func output(_ jobs: String) throws -> String {
      try Tool.run(
        "inspect", "--format", format, "--jobs", jobs, images[0], images[1], images[2], images[3]
      ).output
    }
    let one = try output("1")
    #expect(one.count > 10_000)
    for jobs in ["2", "7"] { #expect(try output(jobs) == one, "--jobs \(jobs)") }
  }

  /// Neither the folder nor the time of the file is in a report.
  @Test func whereverTheFileIs() throws {
    let folder = try Folder()
    let kernel = try Data(contentsOf: URL(filePath: Tool.sample("short")))
    var outputs: [String] = []
    for name in ["one", "other"] {
      let place = folder.url.appending(component: name, directoryHint: .isDirectory)
      try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
      try kernel.write(to: place.appending(component: "vmlinux"))
      var tool = Tool(folder: place)
      tool.environment = ["TZ": name == "one" ? "UTC" : "Asia/Tokyo", "LANG": "de_DE.UTF-8"]
      outputs.append(try tool.run(["inspect", "--format", "json", "vmlinux"]).output)
    }
    #expect(outputs[0] == outputs[1])
    #expect(outputs[0].count > 10_000)
  }
}
