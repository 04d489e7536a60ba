import Foundation
import Mitigation
import Testing

@testable import Reports

@Suite struct FormatsTests {
  @Test func sarif() throws {
    try expectSnapshot(SARIFReport.render(several), "several.sarif")
  }

  @Test func junit() throws {
    try expectSnapshot(JUnitReport.render(several), "several.junit.xml")
  }

  @Test func ktap() throws {
    try expectSnapshot(KTAPReport.render(several), "several.ktap")
  }

  @Test func openvex() throws {
    try expectSnapshot(try #require(openvex(several)), "several.openvex.json")
  }

  @Test func dot() throws {
    try expectSnapshot(DotReport.render(several), "several.dot")
  }

  @Test(arguments: ["sarif", "junit", "ktap", "openvex"])
  func somebodyElsesReaderAgrees(format: String) throws {
    // A run without a test is an error to the kernel's parser, and OpenVEX wants a statement.
    let reports =
      NamedReport.all.map(\.report).filter { !$0.images.isEmpty }
      + [Fixture.hostile(), gated]
    let folder = try Scratch()
    for (index, report) in reports.enumerated() {
      try folder.write("\(index)", try render(report, as: format) ?? "")
    }
    let files = try folder.files().map { $0.path() }
    guard let result = try Script.run("validate-formats", [format] + files) else { return }
    #expect(result.status == 0, "\(result.errors)")
  }

  @Test(arguments: ["sarif", "junit", "ktap", "openvex"])
  func somebodyElsesReaderRefusesWhatIsWrong(format: String) throws {
    let text = try #require(try render(several, as: format))
    let wrong =
      switch format {
      case "sarif": text.replacing(#""level" : "error""#, with: #""level" : "fatal""#)
      case "junit": text.replacing("failures=\"", with: "failures=\"1")
      case "ktap": text.replacing("    not ok 2 ", with: "    nearly ok 2 ")
      default: text.replacing(#""affected""#, with: #""safe""#)
      }
    #expect(wrong != text)
    let folder = try Scratch()
    let file = try folder.write("wrong", wrong)
    guard let result = try Script.run("validate-formats", [format, file]) else { return }
    #expect(result.status == 1, "\(result.errors)")
  }

  @Test func aFingerprintSurvivesANewBuildAndTellsFindingsApart() throws {
    func fingerprints(_ image: ImageReport) throws -> [String] {
      let log = try JSONSerialization.jsonObject(
        with: Data(SARIFReport.render(Fixture.report([image])).utf8))
      let run = ((log as? [String: Any])?["runs"] as? [[String: Any]])?.first
      return (run?["results"] as? [[String: Any]] ?? []).compactMap {
        ($0["partialFingerprints"] as? [String: String])?["ruleAndSubject/v1"]
      }
    }
    let image = Fixture.shortKernel()
    var rebuilt = image
    for index in rebuilt.findings.indices {
      rebuilt.findings[index].paths = []
      for place in rebuilt.findings[index].locations.indices {
        rebuilt.findings[index].locations[place].address = Address(0x1234)
      }
    }
    #expect(try fingerprints(image) == fingerprints(rebuilt))
    rebuilt.findings.append(rebuilt.findings[0])
    let all = try fingerprints(rebuilt)
    #expect(Set(all).count == all.count && all.count == image.findings.count + 1)
  }

  @Test func undeterminedIsNeverAPass() {
    let report = Fixture.report([Fixture.undeterminedKernel()])
    #expect(JUnitReport.render(report).contains("<error message=\"undetermined: "))
    #expect(KTAPReport.render(report).contains(" # ERROR undetermined\n"))
    #expect(openvex(report)?.contains(#""status" : "under_investigation""#) == true)
  }

  @Test func everyHostIsATest() {
    let lines = KTAPReport.render(Fixture.report([Fixture.hostKernel()])).split(separator: "\n")
      .filter { $0.contains("sapphire-rapids/control") || $0.contains("ice-lake-sp/guest") }
      .filter { $0.contains("ok ") }
    // One that a finding names, two without one, and one that could not be asked.
    #expect(lines.count { $0.contains("not ok ") } == 2, "\(lines)")
    #expect(lines.count == 4)
    #expect(lines.count { $0.contains("# ERROR undetermined") } == 1)
  }

  @Test func whatKVMSaysIsNoVulnerabilityOfItsKernel() throws {
    var image = Fixture.hostKernel()
    image.paths = Array(image.paths.prefix { $0.verdict == .adequate })
    let alone = openvex(Fixture.report([image]))
    image.findings = []
    let without = openvex(Fixture.report([image]))
    #expect(try #require(alone).contains(#""status" : "affected""#) == false)
    #expect(try #require(without).contains(#""status" : "affected""#) == false)
  }

  @Test func whatDoesNotFailTheRunDoesNotFailATest() {
    var image = Fixture.shortKernel()
    image.paths = []
    image.findings.removeAll { $0.severity == .error }
    let report = Fixture.report([image])
    #expect(JUnitReport.render(report).contains(#"failures="0""#))
    #expect(JUnitReport.render(report, failOn: .warning).contains(#"failures="1""#))
    #expect(!KTAPReport.render(report).contains("not ok"))
    #expect(KTAPReport.render(report, failOn: .note).contains("not ok 1 "))
  }

  @Test func aGateAloneIsTheTest() {
    let text = JUnitReport.render(gated)
    #expect(text.contains(#"name="finding BHB022""#))
    #expect(!text.contains("boot-paths"))
    var passed = gated
    passed.gate = GateResult(reasons: [])
    #expect(JUnitReport.render(passed).contains(#"tests="1" failures="0" errors="0""#))
  }

  @Test func anAdequateKernelIsFixed() {
    var image = Fixture.shortKernel()
    image.paths.removeAll { $0.verdict != .adequate }
    image.findings = []
    #expect(openvex(Fixture.report([image]))?.contains(#""status" : "fixed""#) == true)
    image.paths = []
    #expect(
      openvex(Fixture.report([image]))?.contains(#""status" : "under_investigation""#) == true)
  }

  private var several: Report {
    Fixture.report([
      Fixture.shortKernel(), Fixture.absentKernel(), Fixture.failedImage(),
      Fixture.undeterminedKernel(),
    ])
  }

  private var gated: Report {
    var report = Fixture.report([Fixture.shortKernel()])
    report.gate = GateResult(reasons: [
      GateReason(
        kind: .finding, fails: true, rule: .falseClaim, message: "It claims too much.",
        paths: ["a/b/silent/default"]),
      GateReason(kind: .undetermined, fails: false, message: "1 boot path is undetermined"),
    ])
    return report
  }

  private func openvex(_ report: Report) -> String? {
    try? OpenVEXReport.render(report, timestamp: "2026-01-02T03:04:05Z")
  }

  private func render(_ report: Report, as format: String) throws -> String? {
    switch format {
    case "sarif": try SARIFReport.render(report)
    case "junit": JUnitReport.render(report)
    case "ktap": KTAPReport.render(report)
    default: openvex(report)
    }
  }
}
