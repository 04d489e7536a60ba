import Foundation
import Mitigation
import Reports
import Testing

@Suite struct RulesPageTests {
  @Test func thePageInTheDocumentationIsThatOfTheRules() throws {
    try expectFile(
      RulesPage.render(), Snapshots.repository.appending(components: "docs", "rules.md"))
  }

  @Test func everyRuleHasASectionAndARow() {
    let page = RulesPage.render()
    for rule in Rule.all {
      #expect(page.contains("\n### \(rule.id)\n"))
      #expect(page.contains("| [\(rule.id)](#\(rule.id.text.lowercased())) |"))
      #expect(page.contains(rule.advice))
    }
    #expect(!page.contains("BHB0x"), "every ten has a title")
  }
}
