import Mitigation
import Testing

@Suite("Rules")
struct RulesTests {
  @Test("ids are in order, and no two rules share one")
  func order() {
    let ids = Rule.all.map(\.id)
    #expect(ids == ids.sorted())
    #expect(Set(ids).count == ids.count)
    #expect(ids.allSatisfy { $0.text.count == 6 && $0.text.hasPrefix("BHB") })
  }

  @Test("every rule says what, why and what to do")
  func texts() {
    for rule in Rule.all {
      #expect(!rule.title.isEmpty && rule.title.last != ".", "\(rule.id)")
      #expect(rule.why.last == ".", "\(rule.id)")
      #expect(rule.advice.last == ".", "\(rule.id)")
    }
  }

  @Test("a finding takes severity and advice from its rule, unless it is told another severity")
  func finding() throws {
    let rule = try #require(Rule.of(.noDetection))
    #expect(Finding(.noDetection, "none").severity == .error)
    #expect(Finding(.noDetection, "none").advice == rule.advice)
    #expect(Finding(.noDetection, "none", severity: .warning).severity == .warning)
    #expect(Rule.of(RuleID("BHB999")) == nil)
  }
}
