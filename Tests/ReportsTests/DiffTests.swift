import Foundation
import Mitigation
import Reports
import Testing

@Suite struct DiffTests {
  @Test func text() throws {
    try expectSnapshot(DiffReport().render(Fixture.comparison()), "diff.txt")
  }

  @Test func json() throws {
    try expectSnapshot(JSONDiff.render(Fixture.comparison()), "diff.json")
  }

  @Test(arguments: Fixture.comparisons)
  func isValid(named: NamedComparison) throws {
    var checker = try SchemaFile.diff.checker
    checker.check(try JSONValue(JSONDiff.render(named.report)))
    #expect(checker.faults == [])
  }

  @Test(arguments: Fixture.comparisons)
  func comesBackUnchanged(named: NamedComparison) throws {
    let text = try JSONDiff.render(named.report)
    let back = try JSONDecoder().decode(ComparisonReport.self, from: Data(text.utf8))
    #expect(back == named.report)
    #expect(try JSONDiff.render(back) == text)
  }

  @Test func theSchemaIsClosedAndNamesNoKeyThatIsNeverThere() throws {
    let own = try SchemaFile.diff.checker
    var checker = try SchemaFile.diff.checker
    for named in Fixture.comparisons {
      checker.check(try JSONValue(JSONDiff.render(named.report)))
    }
    try SchemaFile.diff.expectClosed(checker)
    let changes = own.definitions["Change"]?.object["enum"]?.array.compactMap(\.string)
    #expect(changes == Change.allCases.map(\.rawValue))
  }

  @Test func aWrongDocumentIsNotValid() throws {
    let text = try JSONDiff.render(Fixture.comparison())
    for (right, wrong) in [
      (#""format_version" : 1"#, #""format_version" : 2"#),
      (#""change" : "worse""#, #""change" : "bad""#),
      (#""unchanged_paths""#, #""unchanged""#),
      (#""severity" : "error""#, #""severity" : "fatal""#),
    ] {
      let changed = text.replacing(right, with: wrong, maxReplacements: 1)
      #expect(changed != text)
      var checker = try SchemaFile.diff.checker
      checker.check(try JSONValue(changed))
      #expect(checker.faults != [], "\(wrong)")
    }
  }

  @Test func theFirstLineSaysWhatItComesTo() {
    func firstLine(_ report: ComparisonReport) -> String {
      String(DiffReport().render(report).prefix { $0 != "\n" })
    }
    #expect(
      firstLine(Fixture.comparison(from: Fixture.shortKernel(), to: Fixture.shortKernel()))
        == "before.json → vmlinuz-6.12.117-cloud-amd64: no change; 10 boot paths unchanged")
    #expect(
      firstLine(Fixture.comparison(from: Fixture.absentKernel(), to: Fixture.absentKernel()))
        == "before.json → vmlinuz-5.10.262: no change; no boot path in common")
    #expect(
      firstLine(Fixture.comparison(from: Fixture.shortKernel(), to: Fixture.failedImage()))
        .hasPrefix("cut-off.img: not inspected: expected 8388608 bytes"))
  }

  @Test func namesFromImagesCannotDriveATerminal() {
    let text = DiffReport(colour: true).render(
      Fixture.comparison(from: Fixture.shortKernel(), to: Fixture.undeterminedKernel()))
    #expect(!text.contains("\u{1b}[2J"))
  }

  @Test func pathsThatChangedAlikeShareARow() {
    func kernel(_ sequence: SelectedSequence) -> ImageReport {
      var image = Fixture.absentKernel()
      for (environment, cpus) in [("kvm", ["a", "b"]), ("xen", ["a", "b"]), ("vmware", ["a"])] {
        image.paths += cpus.map {
          Fixture.path(
            $0, environment, verdict: nil, sysfs: "x",
            [.syscall64: EntryPointOutcome(mechanism: .sequence, sequence: sequence)])
        }
      }
      return image
    }
    let text = DiffReport().render(Fixture.comparison(from: kernel(.short), to: kernel(.long)))
    let rows = text.split(separator: "\n").filter { $0.contains("sequence short") }
    #expect(rows.count == 2, "\(text)")
    #expect(rows.first?.contains("kvm, xen ") == true)
    #expect(rows.first?.hasSuffix("a, b") == true)
    #expect(rows.last?.contains("vmware ") == true)
    // Nobody judged them, so there is no verdict to show.
    #expect(!text.contains("not judged"))
  }

  @Test func aGateTakesOneLine() {
    func line(_ reasons: [GateReason], baseline: String? = nil) -> String {
      GateReport().render(
        GateResult(baseline: baseline, reasons: reasons), of: "evil\u{1b}[2J\nvmlinuz")
    }
    let path = #"evil\x1b[2J\x0avmlinuz"#
    #expect(line([]) == "\(path): passed\n")
    #expect(line([], baseline: "base.json") == "\(path): passed (baseline: base.json)\n")
    let open = GateReason(kind: .undetermined, fails: false, message: "1 boot path is undetermined")
    #expect(line([open]) == "\(path): undecided: 1 boot path is undetermined\n")
    let finding = GateReason(
      kind: .finding, fails: true, rule: .falseClaim, message: "It claims too much.")
    #expect(
      line([open, finding, finding, finding, finding])
        == "\(path): failed: BHB022 It claims too much; BHB022 It claims too much; "
        + "BHB022 It claims too much; and 2 more\n")
  }
}
