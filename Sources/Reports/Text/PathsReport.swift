public import Mitigation

/// What `bhbcheck paths` prints: the decision table, one row a boot path, and single paths in
/// full.
public struct PathsReport: Sendable {
  private let colour: Bool
  private let width: Int?

  /// - Parameters: as of `TextReport`.
  public init(colour: Bool = false, width: Int? = nil) {
    self.colour = colour
    self.width = width
  }

  /// The decision table of one image.
  public func render(_ paths: [JudgedPath]) -> String {
    var page = Page(colour: colour, width: width)
    let isJudged = paths.contains { $0.verdict != nil }
    let hasReasons = paths.contains { $0.outcome.undeterminedBecause != nil }
    let header =
      ["cpu", "environment", "statement", "command line"] + (isJudged ? ["verdict"] : [])
      + ["protection", "BHI"] + (hasReasons ? ["undetermined because"] : [])
    let rows = paths.map { path in
      var row: [Cell] = [
        Cell(path.path.cpu), Cell(path.path.environment), Cell(path.path.statement.rawValue),
        Cell(path.path.commandLineName),
      ]
      if isJudged { row.append(path.verdict.cell) }
      row += [Cell(path.protection), Cell(path.outcome.bhiPart ?? unknown)]
      if hasReasons { row.append(Cell(path.outcome.undeterminedBecause ?? "")) }
      return row
    }
    page.table(header: header, rows, indent: 0)
    return page.text
  }

  /// One line an image: `vmlinuz: inadequate on 2 of 9 boot paths`.
  public func summaries(_ report: Report) -> String {
    var page = Page(colour: colour, width: nil)
    for image in report.images where image.error == nil {
      page.line(Cell("\(image.path): ", .heading), Cell(image.paths.summary))
    }
    return page.text
  }

  /// The lines of /sys/devices/system/cpu/vulnerabilities, sorted by file: `spectre_v2: Mitigation:
  /// …`. Empty if the boot machine did not ask for them.
  public func vulnerabilities(_ path: JudgedPath) -> String {
    var page = Page(colour: false, width: nil)
    for (file, text) in (path.outcome.vulnerabilities ?? [:]).sorted(by: { $0.key < $1.key }) {
      page.line(Cell("\(file): \(text)"))
    }
    return page.text
  }

  /// Everything known of one path, and how.
  ///
  /// - Parameter stubs: what the boot machine replaced in the image the path is of.
  public func explain(_ path: JudgedPath, stubs: [Substitution] = []) -> String {
    var page = Page(colour: colour, width: width)
    page.line(
      Cell(path.path.id, .heading), Cell(": "), path.verdict.cell,
      Cell("; \(path.protection)"))
    if let reason = path.outcome.undeterminedBecause {
      page.paragraph("undetermined because \(reason)", style: .caution)
    }
    page.entryPoints(of: path)
    page.evidence(of: path)
    if let trace = path.outcome.trace {
      page.trace(trace)
    } else {
      page.heading("Trace", "not recorded")
    }
    if !stubs.isEmpty {
      page.heading("Replaced in the boot machine")
      page.facts(stubs.map { ($0.symbol, Cell($0.reason)) })
    }
    return page.text
  }
}
