import BootMachine
import Foundation
import Inspection
import Mitigation
import Testing

@Suite("Data files of a user")
struct DataFileTests {
  @Test("are found by name in a directory, and change what is compiled in")
  func directory() throws {
    let directory = FileManager.default.temporaryDirectory.path + "/bhbcheck-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let text =
      #"{"command_lines": [{"name": "default", "line": "quiet", "switches_off": [], "#
      + #""reason": "ours"}]}"#
    try Data(text.utf8).write(to: URL(fileURLWithPath: directory + "/command-lines.json"))
    try Data("not ours".utf8).write(to: URL(fileURLWithPath: directory + "/notes.txt"))

    let files = try DataFile.files(in: directory)
    #expect(files.map(\.kind) == [.commandLines])
    #expect(files.first?.path == directory + "/command-lines.json")
    let catalog = try MatrixCatalog.standard(overrides: files)
    #expect(catalog.commandLine(name: "default")?.line == "quiet")
    #expect(catalog.overrides == files)
  }

  @Test("a policy of the user's stands beside ours, or in the place of the one with its id")
  func policies() throws {
    func file(_ id: String, _ requires: String) -> DataFile {
      let text =
        #"{"policies": [{"id": "\#(id)", "title": "", "source": "ours", "rows": ["#
        + #"{"when": {}, "requires": "\#(requires)", "reason": "always"}]}]}"#
      return DataFile(kind: .policies, path: "policies.json", bytes: Array(text.utf8))
    }
    let added = try MatrixCatalog.standard(overrides: [file("strict", "long")])
    #expect(
      added.policies.map(\.id) == ["default", "bhi-ctrl", "bhi-ctrl-or-hypervisor", "strict"])
    #expect(added.policy(id: "strict")?.rows.first?.requires == .long)
    let changed = try MatrixCatalog.standard(overrides: [file("default", "short-or-long")])
    #expect(changed.policies.count == 3)
    #expect(changed.policy(id: "default")?.source == "ours")
    #expect(throws: DataError.self) {
      try MatrixCatalog.standard(overrides: [file("x", "much")])
    }
  }

  @Test("a directory that is not there is an error that names it")
  func missing() {
    let error = #expect(throws: DataError.self) { try DataFile.files(in: "/nowhere/at/all") }
    #expect(error?.file == "/nowhere/at/all")
  }
}
