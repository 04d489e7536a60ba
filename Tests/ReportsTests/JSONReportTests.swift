import Mitigation
import Reports
import Testing

@Suite struct JSONReportTests {
  @Test(arguments: NamedReport.all)
  func aReportComesBackUnchanged(named: NamedReport) throws {
    let report = named.report
    let text = try JSONReport.render(report)
    #expect(try JSONReport.parse(text.utf8) == report)
    #expect(try JSONReport.render(JSONReport.parse(text.utf8)) == text)
  }

  @Test func aDocumentEndsInOneLineFeed() throws {
    let text = try JSONReport.render(Fixture.report([]))
    #expect(text.hasSuffix("}\n"))
  }

  @Test func severalImages() throws {
    try expectSnapshot(
      JSONReport.render(
        Fixture.report([
          Fixture.absentKernel(), Fixture.failedImage(), Fixture.undeterminedKernel(),
        ])),
      "several.json")
  }

  @Test func everyField() throws {
    try expectSnapshot(JSONReport.render(Fixture.populated()), "populated.json")
  }

  @Test func keysOfALaterVersionAreIgnored() throws {
    let text = try JSONReport.render(Fixture.report([]))
    let later = text.replacing("\"images\"", with: "\"news\" : 1,\n  \"images\"")
    #expect(try JSONReport.parse(later.utf8) == Fixture.report([]))
  }

  @Test func anotherFormatIsRefusedForThatAlone() {
    #expect(throws: ReportReadError.formatVersion(found: 2)) {
      try JSONReport.parse(#"{"format_version": 2, "images": "elsewhere"}"#.utf8)
    }
    #expect(throws: ReportReadError.formatVersion(found: nil)) {
      try JSONReport.parse(#"{"version": "2.1.0", "runs": []}"#.utf8)
    }
    #expect(
      ReportReadError.formatVersion(found: 2).description
        == "expected a report with format_version 1, found 2")
  }

  @Test(arguments: ["", "{", "\u{7f}ELF", "nonsense"])
  func whatIsNoJSONIsSaidToBeNone(text: String) {
    let error = #expect(throws: ReportReadError.self) { try JSONReport.parse(text.utf8) }
    #expect(error?.description.hasPrefix("not a JSON document: ") == true)
  }

  @Test func aWrongValueIsNamedByItsPlace() throws {
    let text = try JSONReport.render(Fixture.report([Fixture.absentKernel()]))
    let wrong = text.replacing("\"shape\" : \"absent\"", with: "\"shape\" : \"gone\"")
    let error = #expect(throws: ReportReadError.self) { try JSONReport.parse(wrong.utf8) }
    #expect(
      error?.description.hasPrefix("not a valid report at images[0].sequence.shape: ") == true)
    let missing = text.replacing("\"shape\"", with: "\"form\"")
    #expect(
      throws: ReportReadError.invalid(at: "images[0].sequence", reason: "no key 'shape'")
    ) { try JSONReport.parse(missing.utf8) }
  }

  @Test(arguments: ["null", "[]", "3", "\"x\""])
  func aDocumentOfAnotherShapeIsRefused(text: String) {
    #expect(throws: ReportReadError.self) { try JSONReport.parse(text.utf8) }
  }
}
