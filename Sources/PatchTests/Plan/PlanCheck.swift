import BootMachine
import Inspection
public import Mitigation

/// Whether the tests of a plan do what the plan says of them, on built images.
public struct PlanCheck: Sendable, Hashable, Codable {
  /// One test on the builds.
  public struct Result: Sendable, Hashable, Codable {
    public var id: String
    public var kind: TestPlan.Test.Kind
    /// Whether it passes on the patched build; null where there is none.
    @OrNull public var passesAfter: Bool?
    /// Whether it passes on the build without the patch; null where there is none.
    @OrNull public var passesBefore: Bool?
    /// Why it does not do what the plan says.
    public var faults: [String]

    private enum CodingKeys: String, CodingKey {
      case id, kind
      case passesAfter = "passes_after"
      case passesBefore = "passes_before"
      case faults
    }
  }

  public var formatVersion = 1
  public var tool: Report.Tool
  public var results: [Result]
  /// Mutants of the patched build that some boot path notices.
  public var killable: Int
  /// Of these, that a test of the plan notices.
  public var caught: Int
  /// Ids of those that no test notices.
  public var missed: [String]
  /// Ids of survivors that nothing explains.
  public var unexplained: [String]

  private enum CodingKeys: String, CodingKey {
    case formatVersion = "format_version"
    case tool, results, killable, caught, missed, unexplained
  }

  /// Whether every test does what the plan says, and every mutant that can be noticed is.
  public var isGood: Bool { results.allSatisfy(\.faults.isEmpty) && missed.isEmpty }
}

extension TestPlanner {
  /// Runs a plan's tests, and the mutants of the patched build, on the builds.
  ///
  /// - Throws: as `plan` does.
  public func check(_ plan: TestPlan) throws -> PlanCheck {
    let matrix = try plan.matrix(catalog)
    let ids = Set(plan.tests.map(\.id))
    let rows = matrix.rows.filter { ids.contains($0.path.id) }
    let after = try outcomes(of: rows, after)
    let before = try outcomes(of: rows, before)
    var check = PlanCheck(
      tool: tool, results: plan.tests.map { result($0, after: after, before: before) },
      killable: 0, caught: 0, missed: [], unexplained: [])
    guard usesMutants, let build = self.after else { return check }
    let report = try mutationReport(matrix, build)
    for mutant in report.mutants where mutant.isNoticed {
      check.killable += 1
      if mutant.killedBy.contains(where: ids.contains) {
        check.caught += 1
      } else {
        check.missed.append(mutant.mutant.id)
      }
    }
    check.unexplained = report.unexplained.map(\.mutant.id)
    return check
  }

  /// What a build gives on rows, by their ids; nil if there is no build.
  private func outcomes(
    of rows: [Matrix.Row], _ build: MutationSubject?
  ) throws -> [String: ExpectedOutcome?]? {
    guard let build else { return nil }
    let results = try RealBootSubject(build).results(of: rows, jobs: jobs)
    var found: [String: ExpectedOutcome?] = [:]
    for (row, result) in zip(rows, results) {
      found[row.path.id] =
        .some(result.outcome.undeterminedBecause == nil ? result.expected : nil)
    }
    return found
  }

  private func result(
    _ test: TestPlan.Test, after: [String: ExpectedOutcome?]?, before: [String: ExpectedOutcome?]?
  ) -> PlanCheck.Result {
    var result = PlanCheck.Result(
      id: test.id, kind: test.kind, passesAfter: nil, passesBefore: nil, faults: [])
    guard let expected = test.expected else {
      result.faults = []
      return result
    }
    func differences(_ outcomes: [String: ExpectedOutcome?]) -> [String] {
      guard let known = outcomes[test.id] else { return ["there is no such boot path"] }
      return known.map { $0.differences(from: expected) } ?? ["the path is undetermined"]
    }
    if let after {
      let found = differences(after)
      result.passesAfter = found.isEmpty
      if !found.isEmpty { result.faults.append("fails on AFTER: \(found.joined(separator: "; "))") }
    }
    if let before {
      let found = differences(before)
      result.passesBefore = found.isEmpty
      switch test.kind {
      case .changes where found.isEmpty: result.faults.append("passes on BEFORE, and must not")
      case .keeps where !found.isEmpty:
        result.faults.append("fails on BEFORE: \(found.joined(separator: "; "))")
      default: break
      }
    }
    return result
  }
}
