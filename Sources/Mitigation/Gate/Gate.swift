/// By what an image is let pass.
public struct Gate: Sendable, Hashable {
  /// The lowest severity of a finding that fails an image; nil: error, or with a baseline warning.
  public var failOn: Severity?
  /// Rules whose findings are accepted.
  public var allowed: Set<RuleID>
  /// What must be true, baseline or not.
  public var conditions: [GateCondition]

  public init(
    failOn: Severity? = nil, allowed: Set<RuleID> = [], conditions: [GateCondition] = []
  ) {
    self.failOn = failOn
    self.allowed = allowed
    self.conditions = conditions
  }

  /// Judges an image for what it is.
  public func result(for image: ImageReport) -> GateResult {
    GateResult(
      reasons: reasons(for: image) { failOn in
        findings(image.findings, atLeast: failOn)
          + undetermined(image.paths.filter(\.isUndetermined), atLeast: failOn)
      })
  }

  /// Judges an image for what is new or worse since `baseline`.
  ///
  /// - Parameter name: what the baseline is called.
  public func result(
    for image: ImageReport, since baseline: ImageReport, named name: String
  ) -> GateResult {
    if let error = baseline.error {
      let message = "the baseline cannot be used: \(error.message)"
      return GateResult(
        baseline: name, reasons: [GateReason(kind: .input, fails: false, message: message)])
    }
    return GateResult(
      baseline: name,
      reasons: reasons(for: image) { _ in
        let failOn = self.failOn ?? .warning
        let comparison = Comparison(from: baseline, to: image)
        let found = findings(comparison.findings.worse, atLeast: failOn)
        let before = Set(baseline.paths.filter(\.isUndetermined).map(\.path.id))
        let undecided = image.paths.filter {
          $0.isUndetermined && !before.contains($0.path.id)
        }
        return found
          + worsePaths(comparison, image, explained: Set(found.flatMap(\.paths)))
          + undetermined(undecided, atLeast: failOn)
      })
  }

  /// Why images of `baseline` say nothing about what is worse in `report`; nil if they do.
  public static func unfitness(of baseline: Report, for report: Report) -> String? {
    let hasPaths = { (report: Report) in report.images.contains { !$0.paths.isEmpty } }
    if hasPaths(report) && !hasPaths(baseline) {
      return "expected a report with boot paths, found none (written with --static?)"
    }
    if hasPaths(report), report.policy != baseline.policy {
      return "expected verdicts by the policy \(report.policy ?? "none"), found those by "
        + (baseline.policy ?? "none")
    }
    // Without discovery a build has no finding about detection, however wrong it is.
    if hasPaths(report), report.contracts.isEmpty != baseline.contracts.isEmpty {
      return "expected a report \(report.contracts.isEmpty ? "without" : "with") discovery, found "
        + "one \(report.contracts.isEmpty ? "with (see --no-discover)" : "without")"
    }
    return nil
  }

  private func reasons(
    for image: ImageReport, _ found: (Severity) -> [GateReason]
  ) -> [GateReason] {
    if let error = image.error {
      return [GateReason(kind: .input, fails: false, message: error.message)]
    }
    return found(failOn ?? .error)
      + conditions.compactMap { condition in
        switch condition.result(in: image) {
        case .met: nil
        case .unmet(let reason, let paths):
          GateReason(
            kind: .condition, fails: true, message: "\(condition.text): \(reason)", paths: paths)
        case .unknown(let reason, let paths):
          GateReason(
            kind: .condition, fails: false, message: "\(condition.text): \(reason)",
            paths: paths)
        }
      }
  }

  private func findings(_ findings: [Finding], atLeast severity: Severity) -> [GateReason] {
    findings.filter {
      // The paths that are undetermined are a reason of their own.
      $0.severity >= severity && $0.id != .undetermined && !allowed.contains($0.id)
    }.map {
      GateReason(
        kind: .finding, fails: true, rule: $0.id, message: $0.message, paths: $0.paths)
    }
  }

  private func undetermined(_ paths: [JudgedPath], atLeast severity: Severity) -> [GateReason] {
    guard !paths.isEmpty, !allowed.contains(.undetermined) else { return [] }
    let count = paths.count == 1 ? "1 boot path is" : "\(paths.count) boot paths are"
    let cause = paths.lazy.compactMap(\.outcome.undeterminedBecause).first
    return [
      GateReason(
        kind: .undetermined,
        fails: Rule.of(.undetermined).map { $0.severity >= severity } ?? false,
        rule: .undetermined,
        message: "\(count) undetermined" + (cause.map { ": \($0)" } ?? ""),
        paths: paths.map(\.path.id))
    ]
  }

  /// The paths that got worse, but for those that a finding already speaks of.
  private func worsePaths(
    _ comparison: Comparison, _ image: ImageReport, explained: Set<String>
  ) -> [GateReason] {
    let accepted = acceptedPaths(image)
    let worse = comparison.paths.filter { path in
      // A path that is merely undetermined now is a reason of its own kind.
      path.change == .worse && (path.after.verdict == .inadequate || !path.after.isUndetermined)
        && !explained.contains(path.id) && !accepted.contains(path.id)
    }
    guard let first = worse.first else { return [] }
    let message =
      worse.count == 1
      ? "\(first.id) is worse than in the baseline"
      : "\(worse.count) boot paths are worse than in the baseline"
    return [
      GateReason(kind: .worsePath, fails: true, message: message, paths: worse.map(\.id))
    ]
  }

  /// Paths that only findings of accepted rules rest on.
  private func acceptedPaths(_ image: ImageReport) -> Set<String> {
    func paths(_ isIncluded: (Finding) -> Bool) -> Set<String> {
      Set(image.findings.filter(isIncluded).flatMap(\.paths))
    }
    return paths { allowed.contains($0.id) }
      .subtracting(paths { !allowed.contains($0.id) && $0.severity > .note })
  }
}

extension FindingChanges {
  /// The findings that are new, or weigh more, or rest on more than before.
  public var worse: [Finding] { new + kept.filter(\.isWorse).map(\.finding) }
}
