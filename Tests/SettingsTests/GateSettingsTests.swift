import Foundation
import Mitigation
import Settings
import Testing

@Suite struct GateSettingsTests {
  @Test func everyKeyIsRead() throws {
    let settings = try GateSettings(
      """
      # What our tree promises.
      baseline: reports/base.json
      policy: default
      contract: kvm-hint
      fail-on: warning
      allow: [BHB002, BHB010]
      require:
        - long-sequence
        - sites=syscall64,vmexit
      module: kvm-intel.ko
      system-map: /boot/System.map
      """, file: "s.yaml", folder: "/tree")
    var expected = GateSettings()
    expected.baseline = "/tree/reports/base.json"
    expected.policy = "default"
    expected.contract = "kvm-hint"
    expected.failOn = .warning
    expected.allow = [.noLongSequence, .noDetection]
    expected.require = [.longSequence, .sites([.syscall64, .vmexit])]
    expected.modules = ["/tree/kvm-intel.ko"]
    expected.systemMap = "/boot/System.map"
    #expect(settings == expected)
  }

  @Test(arguments: ["", "# nothing\n", "---\n"])
  func anEmptyFileSetsNothing(text: String) throws {
    #expect(try GateSettings(text, file: "s.yaml") == GateSettings())
  }

  @Test func oneValueIsAListOfOne() throws {
    #expect(try GateSettings("allow: BHB050", file: "s").allow == [.excessive])
  }

  @Test(arguments: [
    ("allow: BHB002\nallows: BHB010\n", 2, "unknown key 'allows'"),
    ("# one\n\njobs: 4\n", 3, "unknown key 'jobs'"),
    ("allow:\n  - BHB002\n  - BHB999\n", 3, "allow names no rule: 'BHB999'"),
    ("require: [long-sequence, longer-sequence]\n", 1, "require has no condition"),
    ("fail-on: fatal\n", 1, "fail-on is 'fatal'"),
    ("baseline: [a, b]\n", 1, "baseline takes one value"),
    ("baseline:\n", 1, "baseline has a value that is no word"),
    ("policy:\n  id: default\n", 2, "policy takes a value or a list of values"),
    ("policy: a\npolicy: b\n", 1, "occurs twice: policy"),
    ("- BHB002\n", 1, "expected 'option: value'"),
    ("policy: [a\n", 2, "no valid YAML"),
    ("policy: a\n\tcontract: b\n", 2, "no valid YAML"),
  ])
  func whatIsWrongIsNamedWithItsLine(text: String, line: Int, message: String) {
    let error = #expect(throws: SettingsError.self) { try GateSettings(text, file: "s.yaml") }
    #expect(error?.line == line, "\(String(describing: error))")
    #expect(error?.message.contains(message) == true, "\(String(describing: error))")
    #expect(error?.description.hasPrefix("s.yaml:\(line): ") == true)
    #expect(error?.description.contains("\n") == false)
    #expect(error?.isMissing == false)
  }

  @Test func aFileThatIsNotThereIsSaidToBeMissing() {
    let error = #expect(throws: SettingsError.self) {
      try GateSettings(readingFrom: "/nonexistent/settings.yaml")
    }
    #expect(error?.isMissing == true)
    #expect(
      error?.description
        == "/nonexistent/settings.yaml: cannot be read: No such file or directory")
  }

  @Test func aFileThatIsNoTextIsRefused() throws {
    try withFolder { folder in
      let file = folder.appending(component: "s.yaml")
      try Data([0x7f, 0x45, 0xff, 0xfe]).write(to: file)
      let error = #expect(throws: SettingsError.self) {
        try GateSettings(readingFrom: file.path())
      }
      #expect(error?.message.contains("UTF-8") == true)
    }
  }

  @Test func theSearchEndsAtTheTopOfTheWorkingTree() throws {
    try withFolder { folder in
      let deep = folder.appending(components: "tree", "arch", "x86")
      try FileManager.default.createDirectory(at: deep, withIntermediateDirectories: true)
      let outside = folder.appending(component: GateSettings.fileName)
      try Data().write(to: outside)
      // No working tree yet: only the folder itself counts.
      #expect(GateSettings.file(for: deep.path()) == nil)
      #expect(GateSettings.file(for: folder.path()) == outside.path())
      // A linked working tree has a file there.
      try Data().write(to: folder.appending(components: "tree", ".git"))
      #expect(GateSettings.file(for: deep.path()) == nil)
      let top = folder.appending(components: "tree", GateSettings.fileName)
      try Data().write(to: top)
      #expect(GateSettings.file(for: deep.path()) == top.path())
      let near = deep.appending(component: GateSettings.fileName)
      try Data().write(to: near)
      #expect(GateSettings.file(for: deep.path()) == near.path())
    }
  }

  private func withFolder(_ body: (URL) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory
      .appending(component: "bhbcheck-\(UUID().uuidString)", directoryHint: .isDirectory)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder)
  }
}
