import Foundation
import Testing

/// The executable on its own: nothing of the build folder or of the network is needed.
@Suite("Installation") struct InstallationTests {
  @Test func worksMovedAndFromAnotherFolder() throws {
    let folder = try Folder()
    let moved = folder.url.appending(component: "tool")
    try FileManager.default.copyItem(at: Tool.built, to: moved)
    let elsewhere = try Folder()
    // Neither a home nor data folders.
    let tool = Tool(
      executable: moved, folder: elsewhere.url,
      environment: ["HOME": "/nonexistent", "XDG_CONFIG_HOME": "/nonexistent"])
    let paths = try tool.run([
      "paths", "--sample", "long", "--cpu", "ice-lake-sp", "--cmdline", "",
    ])
    #expect(paths.status == 0, "\(paths.errors)")
    #expect(paths.output.contains("ice-lake-sp"))
    #expect(try tool.run(["inspect", "--static", "--sample", "short"]).status == 1)
  }

  @Test func worksWithoutANetwork() throws {
    let tool = Tool(executable: URL(filePath: "/usr/bin/env"))
    guard try tool.run(["unshare", "--net", "--map-root-user", "true"]).status == 0 else {
      print("unshare --net is not allowed here: not tried without a network")
      return
    }
    let result = try tool.run([
      "unshare", "--net", "--map-root-user", Tool.built.path(), "inspect", "--static",
      "--sample", "long",
    ])
    #expect(result.status == 0, "\(result.errors)")
  }
}
