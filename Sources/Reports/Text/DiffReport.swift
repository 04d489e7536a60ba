public import Mitigation

/// A comparison for people: one line with what it comes to, and the details below it.
public struct DiffReport: Sendable {
  private let colour: Bool
  private let width: Int?

  /// - Parameters: as of `TextReport`.
  public init(colour: Bool = false, width: Int? = nil) {
    self.colour = colour
    self.width = width
  }

  /// The text; what could not be read takes one line.
  public func render(_ report: ComparisonReport) -> String {
    var page = Page(colour: colour, width: width)
    guard let comparison = report.comparison else {
      for side in [report.before, report.after] {
        guard let error = side.error else { continue }
        page.line(
          Cell("\(side.path): ", .heading), Cell("not inspected: ", .bad),
          Cell("\(error.message) (\(error.code.rawValue))"))
      }
      return page.text
    }
    page.line(
      Cell("\(report.before.path) → \(report.after.path): ", .heading),
      report.worth, Cell(comparison.summary))
    page.policies(report)
    page.findings(comparison.findings)
    page.changes(comparison.paths)
    page.lonely(comparison)
    return page.text
  }
}

extension ComparisonReport {
  fileprivate var worth: Cell {
    if worse == true { return Cell("worse", .bad) }
    if comparison?.isEmpty == true { return Cell("no change", .good) }
    return Cell("no worse", .good)
  }
}

extension Comparison {
  /// `; findings: 2 new, 1 gone; 12 of 168 boot paths changed (8 worse, 4 better)`
  fileprivate var summary: String {
    var text = ""
    let moved = [(findings.new.count, "new"), (findings.gone.count, "gone")]
      .filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
    if !moved.isEmpty { text += "; findings: " + moved.joined(separator: ", ") }
    let total = paths.count + unchangedPaths
    guard total > 0 else { return text + "; no boot path in common" }
    guard !paths.isEmpty else { return text + "; \(counted(total, "boot path")) unchanged" }
    let kinds = Change.allCases.compactMap { change -> String? in
      let count = paths.count { $0.change == change }
      return count == 0 ? nil : "\(count) \(change.rawValue)"
    }
    return text + "; \(paths.count) of \(counted(total, "boot path")) changed ("
      + kinds.joined(separator: ", ") + ")"
  }
}

extension Change {
  fileprivate var style: Style {
    switch self {
    case .better: .good
    case .worse: .bad
    case .different: .caution
    }
  }
}

extension Page {
  fileprivate mutating func policies(_ report: ComparisonReport) {
    let (before, after) = (report.before, report.after)
    if before.policy != after.policy {
      paragraph(
        "judged by different policies: \(before.policy ?? "none"), then \(after.policy ?? "none")",
        style: .caution)
    }
    if before.contracts != after.contracts {
      paragraph("different contracts were looked for", style: .caution)
    }
  }

  fileprivate mutating func findings(_ findings: FindingChanges) {
    let changed = findings.kept.filter(\.isChanged)
    guard !(findings.new + findings.gone).isEmpty || !changed.isEmpty else {
      if !findings.kept.isEmpty {
        heading("Findings", "\(counted(findings.kept.count, "finding")) in both")
      }
      return
    }
    heading("Findings")
    var rows: [[Cell]] = []
    for finding in findings.new {
      rows.append([Cell("new", .bad), finding.name, Cell(finding.message)])
    }
    for finding in findings.gone {
      rows.append([Cell("gone", .good), finding.name, Cell(finding.message)])
    }
    for kept in changed {
      rows.append([
        kept.isWorse ? Cell("worse", .bad) : Cell("kept", .quiet), kept.finding.name,
        Cell(kept.finding.message, below: kept.whatChanged),
      ])
    }
    table(header: nil, rows)
    let same = findings.kept.count - changed.count
    if same > 0 { paragraph("\(counted(same, "finding")) more in both", style: .quiet) }
  }

  fileprivate mutating func changes(_ paths: [PathChange]) {
    guard !paths.isEmpty else { return }
    heading("Boot paths")
    let isJudged = paths.contains { $0.before.verdict != nil || $0.after.verdict != nil }
    table(
      header: (isJudged ? ["verdict"] : [])
        + ["protection", "environment", "statement", "command line", "CPUs"],
      ChangeGroups(paths).rows.map { row in
        let path = row.example
        let verdict = Cell(
          arrow(path.before.verdict.cell.text, path.after.verdict.cell.text), path.change.style)
        let reason = path.becameUndetermined ? path.after.undeterminedBecause : nil
        let cells = [
          Cell(path.protection, below: path.details), Cell(row.names(of: \.environment)),
          Cell(row.names(of: \.statement.rawValue)), Cell(row.names(of: \.commandLineName)),
          Cell(row.names(of: \.cpu), below: reason.map { "undetermined: \($0)" }),
        ]
        return isJudged ? [verdict] + cells : cells
      })
  }

  fileprivate mutating func lonely(_ comparison: Comparison) {
    if !(comparison.onlyBefore + comparison.onlyAfter).isEmpty { blank() }
    for (ids, what) in [
      (comparison.onlyBefore, "only before"), (comparison.onlyAfter, "only after"),
    ] where !ids.isEmpty {
      paragraph(
        "\(counted(ids.count, "boot path")) \(what): " + abridged(ids, limit: 3), style: .quiet)
    }
  }
}

extension Finding {
  fileprivate var name: Cell { Cell("\(severity.rawValue) \(id)", severity.style) }
}

extension KeptFinding {
  /// `was a warning; 3 boot paths more, 1 fewer`
  fileprivate var whatChanged: String {
    var parts: [String] = []
    if severityBefore != finding.severity { parts.append("was \(severityBefore.rawValue)") }
    let moved = [(newPaths.count, "more"), (gonePaths.count, "fewer")].filter { $0.0 > 0 }
    if !moved.isEmpty {
      parts.append(
        moved.map { "\($0.0) \($0.1)" }.joined(separator: ", ") + " of its boot paths")
    }
    return parts.joined(separator: "; ")
  }
}

extension PathChange {
  /// What runs before and after, at the entry points that changed.
  fileprivate var protection: String {
    func text(_ state: PathState) -> String {
      state.entryPoints.isEmpty && state.undeterminedBecause != nil
        ? unknown : state.entryPoints.protection
    }
    return arrow(text(before), text(after))
  }

  /// What the protection does not show: entry points that only one has, and the sysfs line.
  fileprivate var details: String? {
    var parts: [String] = []
    for (state, other, words) in [(before, after, "no more"), (after, before, "new")] {
      let lonely = state.entryPoints.keys.filter { other.entryPoints[$0] == nil }.sorted()
      // Of a path that could not be run no entry point is known.
      guard !lonely.isEmpty, !other.entryPoints.isEmpty else { continue }
      parts.append("\(words): " + lonely.map(\.rawValue).joined(separator: ", "))
    }
    if before.sysfs != after.sysfs {
      parts.append("sysfs: " + arrow(before.sysfs ?? unknown, after.sysfs ?? unknown))
    }
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
  }
}

/// `before → after`, or once what is the same.
private func arrow(_ before: String, _ after: String) -> String {
  before == after ? after : "\(before) → \(after)"
}
