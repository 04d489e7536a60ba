import Mitigation

/// The decision table with the CPUs that share an outcome taken together: one row for each
/// environment, statement, command line and outcome.
struct DecisionTable {
  struct Row {
    var example: JudgedPath
    var cpus: [String]
  }

  /// Rows of one environment, statement and command line stand together, in the order in which
  /// the report's paths first name them.
  let rows: [Row]
  /// How many CPUs the paths name.
  let cpuCount: Int

  init(_ paths: [JudgedPath]) {
    var rows: [[Row]] = []
    var conditions: [Condition: Int] = [:]
    var outcomes: [Key: Int] = [:]
    for path in paths {
      let condition = Condition(path.path)
      let group = conditions[condition] ?? rows.count
      if group == rows.count {
        conditions[condition] = group
        rows.append([])
      }
      let key = Key(path, condition)
      if let row = outcomes[key] {
        rows[group][row].cpus.append(path.path.cpu)
      } else {
        outcomes[key] = rows[group].count
        rows[group].append(Row(example: path, cpus: [path.path.cpu]))
      }
    }
    self.rows = rows.flatMap(\.self)
    cpuCount = Set(paths.map(\.path.cpu)).count
  }

  /// The CPUs of a row; all of them in two words.
  func cpus(of row: Row) -> String {
    row.cpus.count == cpuCount && cpuCount > 2
      ? "all \(cpuCount) CPUs" : row.cpus.joined(separator: ", ")
  }

  private struct Condition: Hashable {
    var environment: String
    var statement: Statement
    var commandLineName: String
    var commandLine: String

    init(_ path: BootPath) {
      environment = path.environment
      statement = path.statement
      commandLineName = path.commandLineName
      commandLine = path.commandLine
    }
  }

  private struct Key: Hashable {
    var condition: Condition
    var verdict: Verdict?
    var entryPoints: [EntryPoint: EntryPointOutcome]
    var bhiPart: String?
    var undeterminedBecause: String?

    init(_ path: JudgedPath, _ condition: Condition) {
      self.condition = condition
      verdict = path.verdict
      entryPoints = path.entryPoints
      bhiPart = path.outcome.bhiPart
      undeterminedBecause = path.outcome.undeterminedBecause
    }
  }
}

extension [JudgedPath] {
  /// How many paths have which verdict, the worst first: `inadequate on 12 of 168 boot paths`.
  var summary: String {
    let verdicts: [Verdict] = [.inadequate, .undetermined, .excessive]
    let counts = verdicts.compactMap { verdict -> (Verdict, Int)? in
      let count = filter {
        $0.verdict == verdict || verdict == .undetermined && $0.verdict == nil && $0.isUndetermined
      }.count
      return count == 0 ? nil : (verdict, count)
    }
    let total = counted(count, "boot path")
    if let (worst, number) = counts.first {
      let rest = counts.dropFirst().map { ", \($0.rawValue) on \($1)" }.joined()
      return "\(worst.rawValue) on \(number) of \(total)\(rest)"
    }
    return allSatisfy { $0.verdict == nil }
      ? "\(total), not judged" : "adequate on \(count > 1 ? "all " : "")\(total)"
  }
}
