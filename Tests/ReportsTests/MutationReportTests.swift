import Foundation
import Mitigation
import Reports
import Testing

@Suite struct MutationReportTests {
  @Test func text() throws {
    try expectSnapshot(MutationText().render(Fixture.mutation()), "mutation.txt")
  }

  @Test func json() throws {
    try expectSnapshot(JSONReport.render(Fixture.mutation()), "mutation.json")
  }

  @Test func theScoreLeavesOutWhatCannotBeNoticed() {
    #expect(Fixture.mutation().score == 2.0 / 3)
  }

  @Test(arguments: Fixture.mutations)
  func isValid(named: NamedMutation) throws {
    var checker = try SchemaFile.mutation.checker
    checker.check(try JSONValue(JSONReport.render(named.report)))
    #expect(checker.faults == [])
  }

  @Test(arguments: [
    (#""status" : "killed""#, #""status" : "dead""#), (#""every_path" : false,"#, ""),
    (#""original" : "7405""#, #""original" : "74 05""#),
    (#""adds" : 2"#, #""adds" : 2, "more" : 1"#),
  ])
  func aWrongDocumentIsNotValid(right: String, wrong: String) throws {
    let text = try JSONReport.render(Fixture.mutation())
    let changed = text.replacing(right, with: wrong, maxReplacements: 1)
    try #require(changed != text)
    var checker = try SchemaFile.mutation.checker
    checker.check(try JSONValue(changed))
    #expect(checker.faults != [])
  }

  @Test(arguments: Fixture.mutations)
  func comesBackUnchanged(named: NamedMutation) throws {
    let text = try JSONReport.render(named.report)
    let back = try JSONDecoder().decode(MutationReport.self, from: Data(text.utf8))
    #expect(back == named.report)
  }

  @Test func theSchemaIsClosedAndItsListsAreThoseOfTheModel() throws {
    let own = try SchemaFile.mutation.checker
    var checker = try SchemaFile.mutation.checker
    checker.check(try JSONValue(JSONReport.render(Fixture.mutation())))
    try SchemaFile.mutation.expectClosed(checker)
    func list(_ name: String) -> [String] {
      own.definitions[name]?.object["enum"]?.array.compactMap(\.string) ?? []
    }
    #expect(list("Mutant.Operator") == Mutant.Operator.allCases.map(\.rawValue))
    #expect(list("MutantResult.Status") == MutantResult.Status.allCases.map(\.rawValue))
    #expect(list("MutantResult.Reason") == MutantResult.Reason.allCases.map(\.rawValue))
    #expect(list("MutantResult.Difference") == MutantResult.Difference.allCases.map(\.rawValue))
  }
}
