import Foundation
import Testing

/// `--data` and the folders where data files stand.
@Suite("Data files on the command line") struct DataTests {
  let folder: Folder
  let policies = { (title: String) in
    """
    {"policies": [{"id": "ours", "title": "\(title)", "source": "test",
      "rows": [{"when": {}, "requires": "nothing", "reason": "always"}]}]}
    """
  }

  init() throws { folder = try Folder() }

  private func run(_ options: String..., configuration: String = "/nowhere") throws -> Tool.Result {
    let tool = Tool(environment: ["XDG_CONFIG_HOME": configuration])
    return try tool.run(
      ["paths", "--sample", "long", "--cpu", "zen3", "--cmdline", "", "--format", "json"] + options)
  }

  @Test func addToWhatIsBuiltIn() throws {
    _ = try folder.write("policies.json", Data(policies("").utf8))
    #expect(try run("--policy", "ours").status == 64)
    let result = try run("--policy", "ours", "--data", folder.url.path())
    #expect(result.status == 0)
    #expect(result.document["policy"] as? String == "ours")
    let override = try #require(result.objects("overrides").first)
    #expect((override["file"] as? String)?.hasSuffix("/policies.json") == true)
    #expect((override["hash"] as? String)?.count == 64)
  }

  @Test func standInTheConfigurationFolder() throws {
    let home = folder.url.appending(component: "bhbcheck")
    try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
    try Data(policies("").utf8).write(to: home.appending(component: "policies.json"))
    let result = try run("--policy", "ours", configuration: folder.url.path())
    #expect(result.status == 0)
    // Reports hold no path of a machine.
    #expect(
      result.objects("overrides").first?["file"] as? String
        == "XDG_CONFIG_HOME/bhbcheck/policies.json")
  }

  @Test func thatAreWrongEndTheRun() throws {
    _ = try folder.write("policies.json", Data("{".utf8))
    let wrong = try run("--data", folder.url.path())
    #expect(wrong.status == 65)
    #expect(wrong.errorLines.count == 1)
    #expect(wrong.errors.contains("policies.json"))
    let missing = try run("--data", folder.url.path() + "/none")
    #expect(missing.status == 66)
    #expect(missing.errorLines.count == 1)
    #expect(missing.output == "")
  }

  @Test func hashesAreOfTheKernelItself() throws {
    let plain = try Tool().run(["inspect", "--static", "--sample", "long", "--format", "json"])
    #expect(plain.objects("images").first?["sha256"] is NSNull)
    let hashed = try Tool().run([
      "inspect", "--static", "--hash", "--sample", "long", "--format", "json",
    ])
    #expect((hashed.objects("images").first?["sha256"] as? String)?.count == 64)
  }
}
