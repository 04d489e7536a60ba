import Foundation

/// What a plan holds, and what checking it found, for people and for test harnesses.
public struct PlanCheckReports: Sendable {
  public init() {}

  /// What was written.
  public func summary(_ plan: TestPlan, folder: String) -> String {
    var lines: [String] = []
    if let reason = plan.emptyBecause {
      lines.append("Nothing to test. \(reason)")
    } else {
      let changes = plan.tests.count { $0.kind == .changes }
      let keeps = plan.tests.count { $0.kind == .keeps }
      let kinds =
        changes + keeps > 0 ? ": \(changes) change with the patch, \(keeps) must not" : ""
      lines.append("\(plan.tests.count) boot paths\(kinds); \(plan.bootSet.count) to boot")
      if let mutants = plan.mutants {
        lines.append(
          "mutants: \(mutants.noticed) of \(mutants.killable) caught, "
            + "\(mutants.noticedByBoots) by the boots alone")
      }
    }
    for hunk in plan.hunks where hunk.placement != .placed {
      let word = hunk.placement == .unplaced ? "could not be placed" : "out of scope"
      lines.append("\(hunk.patch):\(hunk.line): \(hunk.file): \(word): \(hunk.reason)")
    }
    for definition in plan.definitions where definition.taken.hasPrefix("not understood") {
      lines.append(
        "\(definition.patch):\(definition.line): \(definition.name): \(definition.taken)")
    }
    lines.append("written to \(folder)")
    return lines.map(Quoting.line).joined(separator: "\n") + "\n"
  }

  public func text(_ check: PlanCheck) -> String {
    let good = check.results.count { $0.faults.isEmpty }
    var lines = ["\(good) of \(check.results.count) tests do what the plan says"]
    for result in check.results where !result.faults.isEmpty {
      lines.append("  \(result.id) (\(result.kind.rawValue))")
      lines += result.faults.map { "    \($0)" }
    }
    lines.append("\(check.caught) of \(check.killable) mutants of AFTER are caught\(score(check))")
    lines += check.missed.map { "  missed  \($0)" }
    if !check.unexplained.isEmpty {
      lines.append("\(check.unexplained.count) mutants change nothing that any boot path shows")
    }
    return lines.map(Quoting.line).joined(separator: "\n") + "\n"
  }

  public func json(_ check: PlanCheck) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(check), as: UTF8.self) + "\n"
  }

  public func ktap(_ check: PlanCheck) -> String {
    var lines = ["KTAP version 1", "1..\(check.results.count + 1)"]
    for (number, result) in check.results.enumerated() {
      lines += result.faults.map { "# \($0)" }
      lines.append(
        "\(result.faults.isEmpty ? "ok" : "not ok") \(number + 1) "
          + "\(result.kind.rawValue) \(result.id.replacing("#", with: "\\#"))")
    }
    lines += check.missed.map { "# missed \($0)" }
    lines.append(
      "\(check.missed.isEmpty ? "ok" : "not ok") \(check.results.count + 1) "
        + "mutants: \(check.caught) of \(check.killable) caught")
    return lines.map(Quoting.line).joined(separator: "\n") + "\n"
  }

  /// Rounded down, so that only all is 100.0.
  private func score(_ check: PlanCheck) -> String {
    guard check.killable > 0 else { return "" }
    let tenths = check.caught * 1000 / check.killable
    return " (\(tenths / 10).\(tenths % 10) %)"
  }
}
