import Foundation
import Inspection
import Mitigation
import PatchTests
import Testing

@Suite("Tests are written") struct TestWriterTests {
  static let tool = Report.Tool(name: "bhbcheck", version: "0")

  private func plan(_ patches: [KernelPatch]) throws -> TestPlan {
    let catalog = try MatrixCatalog.standard()
    let policy = try #require(catalog.policy(id: Policy.defaultID))
    return try TestPlanner(tool: Self.tool, catalog: catalog, policy: policy).plan(patches)
  }

  private func file(_ name: String, of plan: TestPlan) throws -> String {
    try #require(try TestWriter().files(plan).first { $0.name == name }).text
  }

  @Test func theSameInputGivesTheSameBytes() throws {
    let patches = try Series.ours()
    let first = try TestWriter().files(try plan(patches))
    #expect(first == (try TestWriter().files(try plan(patches))))
    #expect(
      first.map(\.name) == [
        "plan.json", "README.md", "bhb_kunit.patch", "bhb_kselftest.sh", "github-workflow.yml",
        "gitlab-ci.yml",
      ])
  }

  @Test func aPlanReadsBack() throws {
    let plan = try plan(try Series.ours())
    let folder = FileManager.default.temporaryDirectory
      .appending(component: "bhbcheck-\(UUID().uuidString)").path()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try TestWriter().write(try TestWriter().files(plan), to: folder)
    #expect(try TestPlan(file: "\(folder)/plan.json") == plan)
    #expect(plan.tests.contains { $0.path.commandLine == "spectre_bhi=vmexit,long" })
    #expect(plan.tests.contains { $0.path.statement == .longRequired })
    #expect(plan.contract == "kvm-hint" && plan.contracts.isEmpty)
  }

  @Test func theSuiteIsAPatch() throws {
    let text = try file("bhb_kunit.patch", of: try plan(try Series.ours()))
    let files = try PatchReader.patches(text, source: "bhb_kunit.patch").flatMap(\.files)
    #expect(
      files.map(\.path) == [
        "arch/x86/Kconfig.debug", "arch/x86/kernel/cpu/Makefile", "arch/x86/kernel/cpu/bhb_kunit.c",
      ])
    // patch(1) takes a hunk with less context behind than in front for the end of the file.
    for hunk in files.prefix(2).flatMap(\.hunks) {
      let front = hunk.lines.prefix { $0.kind == .context }.count
      let back = hunk.lines.reversed().prefix { $0.kind == .context }.count
      #expect(front == back)
    }
  }

  @Test func documentationAloneIsNothingToTest() throws {
    let text = Series.patch(
      "Documentation/admin-guide/hw-vuln/spectre.rst", [" BHI", "+More about BHI.", " x"])
    let plan = try plan(try Series.read(text))
    #expect(plan.emptyBecause?.contains("documentation") == true)
    #expect(plan.tests.isEmpty && plan.bootSet.isEmpty)
    #expect(try TestWriter().files(plan).map(\.name) == ["plan.json", "README.md"])
    #expect(try file("README.md", of: plan).contains("documentation and comments alone"))
  }

  @Test func foreignPatchesAreNothingToTest() throws {
    let plan = try plan(try Series.read(Series.patch("fs/ext4/inode.c", [" x", "-y", "+z"])))
    #expect(plan.emptyBecause?.contains("No hunk") == true)
    #expect(plan.hunks.map(\.placement) == [.outOfScope])
  }

  @Test func anUnknownContractComesAlong() throws {
    let text = Series.patch(
      "arch/x86/include/uapi/asm/kvm_para.h", ["+#define KVM_FEATURE_BHB_SHORT_ADEQUATE 20", " x"])
    let plan = try plan(try Series.read(text))
    #expect(plan.contract == "patch" && plan.contracts.map(\.id) == ["patch"])
    #expect(plan.tests.contains { $0.path.statement == .shortAdequate })
    let suite = try file("bhb_kunit.patch", of: plan)
    #expect(suite.contains("bhb_kunit_contract_short = 0x100000;"))
  }

  @Test(arguments: QuotingTests.hostile)
  func hostileSubjectsStayText(subject: String) throws {
    var patches = try Series.ours()
    patches[0].subject = subject
    let plan = try plan(patches)
    let script = try Kselftest(try file("bhb_kselftest.sh", of: plan))
    #expect(try script.run(line: "Mitigation: x; BHI: Retpoline").status == 4)
    let suite = try file("bhb_kunit.patch", of: plan)
    #expect(try PatchReader.patches(suite, source: "x").flatMap(\.files).count == 3)
  }
}
