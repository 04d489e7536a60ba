import Mitigation
import Reports

/// A run as one self-contained page.
public struct AuditPage: Sendable {
  private let summary: AuditSummary

  public init(_ summary: AuditSummary) { self.summary = summary }

  public var html: String {
    """
    <!DOCTYPE html>
    <html lang="en"><head><meta charset="utf-8"><title>bhbcheck audit</title>
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <style>\(Self.style)</style></head><body>
    <h1>\(summary.rows.count) kernels</h1>
    \(AuditSummary.Grouping.allCases.map(table).joined(separator: "\n"))
    <h2>Kernels</h2>
    <table><thead><tr><th scope="col">file</th><th scope="col">release</th>
    <th scope="col">sequence</th><th scope="col">sites</th><th scope="col">inadequate</th>
    <th scope="col">findings</th></tr></thead><tbody>
    \(summary.rows.map(row).joined(separator: "\n"))
    </tbody></table></body></html>

    """
  }

  private func table(_ grouping: AuditSummary.Grouping) -> String {
    let rows = summary.groups(by: grouping).map { group in
      "<tr><th scope=\"row\">\(markup(group.name))</th><td>\(group.images)</td>"
        + "<td>\(group.inadequate)</td><td>\(group.failed)</td></tr>"
    }
    return """
      <h2>By \(grouping.rawValue)</h2>
      <table><thead><tr><th scope="col">\(grouping.rawValue)</th><th scope="col">kernels</th>
      <th scope="col">with inadequate paths</th><th scope="col">failed</th></tr></thead><tbody>
      \(rows.joined(separator: "\n"))
      </tbody></table>
      """
  }

  private func row(_ row: AuditRow) -> String {
    let name = "<th scope=\"row\">\(markup(row.path))</th>"
    if let error = row.error {
      return "<tr class=\"failed\">\(name)<td colspan=\"5\">\(markup(error.message))</td></tr>"
    }
    let bad = row.verdicts[Verdict.inadequate.rawValue, default: 0]
    return "<tr class=\"\(bad > 0 ? "bad" : "good")\">\(name)<td>\(markup(row.release ?? ""))</td>"
      + "<td>\(row.sequence?.rawValue ?? "unknown")</td><td>\(row.sites)</td>"
      + "<td>\(bad) of \(row.verdicts.values.reduce(0, +))</td>"
      + "<td>\(markup(row.findings.map(\.text).joined(separator: " ")))</td></tr>"
  }

  private static let style = """
    :root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}body{margin:2rem auto;\
    max-width:75rem;padding:0 1rem}table{border-collapse:collapse;width:100%}th,td{text-align:left;\
    padding:.25rem .6rem;border-bottom:1px solid #8884}tbody th{font-weight:500;\
    overflow-wrap:anywhere}tr.bad td:nth-child(5){color:light-dark(#b3261e,#ff8a80);\
    font-weight:600}tr.failed td{color:light-dark(#8a5a00,#ffcc66)}
    """
}
