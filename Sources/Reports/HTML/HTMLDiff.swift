public import Mitigation

/// A comparison as a page for people: before and after side by side.
public struct HTMLDiff {
  /// The page.
  ///
  /// - Throws: `EncodingError`, which no comparison can cause.
  public static func render(_ report: ComparisonReport) throws -> String {
    let changes = report.comparison?.paths ?? []
    let data = Data(
      comparison: report, rules: Rule.all,
      words: changes.map {
        Words(before: $0.before.protectionWords, after: $0.after.protectionWords)
      })
    return HTMLPage.render(
      title: "bhbcheck: \(report.before.path) → \(report.after.path)",
      data: try SharedJSON.render(data),
      scripts: [PackageResources.evidence_js, PackageResources.diff_js])
  }

  private struct Data: Encodable {
    var comparison: ComparisonReport
    var rules: [Rule]
    /// In the order of the comparison's paths.
    var words: [Words]
  }

  private struct Words: Encodable {
    var before: String
    var after: String
  }
}

extension PathState {
  fileprivate var protectionWords: String {
    entryPoints.isEmpty && undeterminedBecause != nil ? unknown : entryPoints.protection
  }
}
