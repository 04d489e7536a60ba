import Mitigation
import Testing

@testable import Reports

@Suite struct FindingGroupTests {
  private func finding(
    _ id: String, _ severity: Severity, from leaders: [String] = []
  ) -> Finding {
    Finding(
      id: RuleID(id), severity: severity, message: id, advice: "",
      followsFrom: leaders.map { RuleID($0) })
  }

  private func shape(_ findings: [Finding]) -> [[String]] {
    FindingGroup.groups(of: findings).map { group in
      ([group.leader] + group.followers).map(\.id.text)
    }
  }

  @Test func theWorstLeaderComesFirstWithWhatFollowsFromIt() {
    let findings = [
      finding("BHB002", .error), finding("BHB020", .error, from: ["BHB002"]),
      finding("BHB022", .error, from: ["BHB002", "BHB040"]), finding("BHB025", .warning),
      finding("BHB040", .error), finding("BHB050", .note),
    ]
    #expect(
      shape(findings) == [["BHB002", "BHB020", "BHB022"], ["BHB040"], ["BHB025"], ["BHB050"]])
  }

  @Test func whatFollowsFromAFollowerStandsWithIt() {
    let findings = [
      finding("BHB012", .error), finding("BHB020", .error, from: ["BHB012"]),
      finding("BHB022", .error, from: ["BHB020"]),
    ]
    #expect(shape(findings) == [["BHB012", "BHB020", "BHB022"]])
  }

  @Test func noneIsLost() {
    // The cause is not in the report; and a circle, which no report has.
    #expect(shape([finding("BHB020", .error, from: ["BHB002"])]) == [["BHB020"]])
    let circle = [
      finding("BHB020", .error, from: ["BHB022"]), finding("BHB022", .error, from: ["BHB020"]),
    ]
    #expect(shape(circle).flatMap(\.self).sorted() == ["BHB020", "BHB022"])
    #expect(shape([]).isEmpty)
  }
}
