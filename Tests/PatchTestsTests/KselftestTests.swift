import Foundation
import Inspection
import Mitigation
import PatchTests
import Testing

/// A generated kselftest, run on files of our own in place of the kernel's.
final class Kselftest {
  private let folder: URL

  init(_ text: String) throws {
    folder = FileManager.default.temporaryDirectory
      .appending(component: "bhbcheck-\(UUID().uuidString)", directoryHint: .isDirectory)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try write("test.sh", text)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  private func write(_ name: String, _ text: String) throws {
    try Data(text.utf8).write(to: folder.appending(path: name))
  }

  /// Runs it on a machine: family 6, and what is given.
  func run(
    line: String?, vendor: String = "GenuineIntel", model: Int = 1, flags: String = "fpu sse",
    commandLine: String = "quiet"
  ) throws -> (status: Int32, output: String) {
    try? FileManager.default.removeItem(at: folder.appending(path: "sysfs"))
    if let line { try write("sysfs", line) }
    try write(
      "cpuinfo",
      "processor\t: 0\nvendor_id\t: \(vendor)\ncpu family\t: 6\nmodel\t\t: \(model)\n"
        + "model name\t: A: B\nstepping\t: 1\nflags\t\t: \(flags)\nbugs\t\t: bhi\n\n")
    try write("cmdline", commandLine + "\n")
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = [folder.appending(path: "test.sh").path()]
    process.environment = [
      "BHB_SYSFS": folder.appending(path: "sysfs").path(),
      "BHB_CPUINFO": folder.appending(path: "cpuinfo").path(),
      "BHB_CMDLINE": folder.appending(path: "cmdline").path(), "PATH": "/usr/bin:/bin",
    ]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
  }
}

@Suite("The kselftest") struct KselftestTests {
  private func script() throws -> Kselftest {
    let catalog = try MatrixCatalog.standard()
    let policy = try #require(catalog.policy(id: Policy.defaultID))
    let plan = try TestPlanner(tool: TestWriterTests.tool, catalog: catalog, policy: policy)
      .plan(try Series.ours())
    let files = try TestWriter().files(plan)
    return try Kselftest(try #require(files.first { $0.name == "bhb_kselftest.sh" }).text)
  }

  @Test func aMachineOfThePlanPassesOrFails() throws {
    let script = try script()
    let good = try script.run(
      line: "Mitigation: x; BHI: SW loop, KVM: SW loop; BHB sequence: long\n", model: 106,
      flags: "fpu hypervisor")
    #expect(good.status == 0, "\(good.output)")
    #expect(good.output.contains("\nok 3 "))
    let bad = try script.run(
      line: "Vulnerable; BHI: Vulnerable\n", model: 106, flags: "fpu hypervisor")
    #expect(bad.status == 1, "\(bad.output)")
    #expect(bad.output.contains("not ok 3 "))
  }

  @Test func anUnknownMachineIsSkipped() throws {
    let script = try script()
    let other = try script.run(line: "Mitigation: x; BHI: Retpoline", model: 1)
    #expect(other.status == 4)
    #expect(other.output.contains("# SKIP the plan has none of this machine"))
    #expect(try script.run(line: nil).status == 4)
  }

  @Test func aSequenceThatNobodyRunsIsAFalseClaim() throws {
    let found = try script().run(line: "Mitigation: x; BHI: Retpoline; BHB sequence: long")
    #expect(found.status == 1)
    #expect(found.output.contains("not ok 2 "))
  }

  @Test func hostileLinesDoNothing() throws {
    let found = try script().run(
      line: "`touch /tmp/bhbcheck-hostile` $(id) %s \\n 'x", commandLine: "spectre_bhi=$(id) *")
    #expect(found.status == 4)
    #expect(!FileManager.default.fileExists(atPath: "/tmp/bhbcheck-hostile"))
  }
}
