public import Mitigation

/// docs/rules.md: every rule, from the same data that findings are made of.
public enum RulesPage {
  /// The page of `rules`, a section for each ten of ids.
  public static func render(_ rules: [Rule] = Rule.all) -> String {
    var page = """
      # The rules

      What bhbcheck can find in an image, by the stable id of each rule. A rule never fires on a build
      that is right. `follows_from` in a report names the findings that are the cause of another one.

      This page is generated from the rules themselves:
      `BHBCHECK_RENEW_SNAPSHOTS=1 swift test --filter RulesPage` writes it anew.

      | id | severity | finding |
      |---|---|---|

      """
    for rule in rules {
      page +=
        "| [\(rule.id)](#\(rule.id.text.lowercased())) | \(rule.severity.rawValue) | \(rule.title) |\n"
    }
    var section: Substring?
    for rule in rules {
      let ten = rule.id.text.dropLast()
      if ten != section {
        section = ten
        page += "\n## \(titles[String(ten)] ?? "\(ten)x")\n"
      }
      page += """

        ### \(rule.id)

        **\(rule.title.first?.uppercased() ?? "")\(rule.title.dropFirst()).** Severity: \
        \(rule.severity.rawValue)\(remarks[rule.id].map { "; \($0)" } ?? "").

        \(rule.why)

        *What to do:* \(rule.advice)

        """
    }
    return page
  }

  /// What the ids of a ten have in common.
  private static let titles = [
    "BHB00": "The sequence in the image", "BHB01": "The detection of a hypervisor's bit",
    "BHB02": "What boot paths get", "BHB03": "The sequence's code", "BHB04": "The sites",
    "BHB05": "More than needed", "BHB06": "What KVM promises its guests",
    "BHB09": "What is not known",
  ]

  /// Where the severity depends.
  private static let remarks: [RuleID: String] = [
    .noDetection: "warning where every silent guest gets the long sequence anyway"
  ]
}
