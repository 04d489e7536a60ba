import Foundation
import Mitigation
import Reports

extension AuditRow {
  /// One line for people.
  public var text: String {
    if let error { return "\(printable(path)): \(printable(error.message))" }
    let paths = verdicts.values.reduce(0, +)
    var parts = [release.map(printable), sequence?.rawValue ?? "sequence unknown"].compactMap(
      \.self)
    for verdict in [Verdict.inadequate, .undetermined] {
      let count = verdicts[verdict.rawValue, default: 0]
      if count > 0 { parts.append("\(count) of \(paths) paths \(verdict.rawValue)") }
    }
    parts.append(findings.isEmpty ? "no finding" : findings.map(\.text).joined(separator: " "))
    if isKnown { parts.append("known") }
    return "\(printable(path)): " + parts.joined(separator: ", ")
  }
}

extension AuditChange {
  /// One line for people.
  public var text: String {
    var parts = [kind.rawValue]
    if !appeared.isEmpty { parts.append("+ " + appeared.map(\.text).joined(separator: " ")) }
    if !disappeared.isEmpty { parts.append("- " + disappeared.map(\.text).joined(separator: " ")) }
    let verdicts = { (row: AuditRow?) in row?.verdicts[Verdict.inadequate.rawValue] ?? 0 }
    if verdicts(before) != verdicts(after) {
      parts.append("inadequate paths \(verdicts(before)) -> \(verdicts(after))")
    }
    if before?.release != after?.release, let release = after?.release {
      parts.append(printable(release))
    }
    return "\(printable(path)): " + parts.joined(separator: ", ")
  }

  /// One line of NDJSON.
  public var line: String {
    get throws { String(decoding: try encoder().encode(self), as: UTF8.self) + "\n" }
  }
}

extension AuditSummary {
  /// A table for people.
  public func text(by grouping: Grouping) -> String {
    let groups = groups(by: grouping)
    let width = groups.map { printable($0.name).count }.max() ?? 0
    let title = grouping.rawValue.padding(
      toLength: max(width, grouping.rawValue.count), withPad: " ", startingAt: 0)
    var lines = ["\(title)  images  inadequate  failed"]
    for group in groups {
      let name = printable(group.name).padding(
        toLength: title.count, withPad: " ", startingAt: 0)
      lines.append(
        name + Self.column(group.images, 8) + Self.column(group.inadequate, 12)
          + Self.column(group.failed, 8))
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func column(_ number: Int, _ width: Int) -> String {
    String(repeating: " ", count: max(1, width - "\(number)".count)) + "\(number)"
  }

  /// The groups and the rows as one document.
  public func json(by grouping: Grouping) throws -> String {
    struct Document: Encodable {
      var by: String
      var groups: [Group]
      var rows: [AuditRow]
      @OrNull var unfinished: Auditor.Progress?
    }
    let document = Document(
      by: grouping.rawValue, groups: groups(by: grouping), rows: rows, unfinished: unfinished)
    return String(decoding: try encoder().encode(document), as: UTF8.self) + "\n"
  }
}

private func encoder() -> JSONEncoder {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  return encoder
}
