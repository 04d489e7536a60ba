import Foundation
import Testing

@Suite("boot") struct BootTests {
  /// The first real kernel at hand, and a QEMU to boot it.
  static let kernel = (ProcessInfo.processInfo.environment["BHBCHECK_KERNELS"] ?? "")
    .split(separator: ":").first.map(String.init)
  static let hasQEMU = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    .contains { FileManager.default.isExecutableFile(atPath: "\($0)/qemu-system-x86_64") }

  @Test func withoutQEMU() throws {
    let tool = Tool(environment: ["PATH": "/nonexistent"])
    let result = try tool.run(["boot", "--sample", "long"])
    #expect(result.status == 69)
    #expect(result.errorLines.count == 1)
    #expect(result.errors.contains("qemu-system-x86_64, which is not installed"))
  }

  @Test func choicesExcludeEachOther() throws {
    let result = try Tool.run("boot", "--sample", "long", "--all", "--cpu", "zen4")
    #expect(result.status == 64)
  }

  @Test func aPlanThatIsNone() throws {
    let folder = try Folder()
    let plan = try folder.write("plan.json", "{}")
    // Any program will do for QEMU: nothing is booted.
    let result = try Tool.run(
      "boot", "--sample", "long", "--plan", plan, "--qemu", "/bin/sh")
    #expect(result.status == 65)
    #expect(result.errors.contains("no plan of bhbcheck generate"))
  }

  @Test(
    .enabled(if: kernel != nil && hasQEMU, "needs qemu-system-x86_64, and BHBCHECK_KERNELS"),
    .timeLimit(.minutes(3)))
  func aRealKernelToTheEndOfItsChoice() throws {
    let folder = try Folder()
    let tool = Tool(environment: ["XDG_CACHE_HOME": folder.path("cache")])
    let arguments = [
      "boot", try #require(Self.kernel), "--cpu", "ice-lake-sp", "--fast", "--jobs", "1",
    ]
    let first = try tool.run(arguments + ["--format", "ktap"])
    #expect(first.status == 0, "\(first.output)\(first.errors)")
    #expect(first.output.contains("\nok 1 ice-lake-sp/bare-metal/silent/default\n"))
    // What was booted once is not booted again.
    let clock = ContinuousClock()
    let start = clock.now
    let second = try tool.run(arguments + ["--format", "json"])
    #expect(second.status == 0)
    #expect((second.objects("boots").first?["status"] as? String) == "agrees")
    print("a boot from the cache took \(clock.now - start)")
  }
}
