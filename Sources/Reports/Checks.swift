import Mitigation

/// A report as tests that pass or fail, for the formats of test results: JUnit's and KTAP.
struct Check {
  enum Result {
    case passed
    /// What is wrong, in one line.
    case failed(String)
    /// Nobody knows: never a pass.
    case unknown(String)
    /// Nothing was checked here.
    case skipped(String)
  }

  var name: String
  var result: Result
  /// Further lines about it.
  var details: [String] = []

  /// Checks of one kind on one image.
  struct Suite {
    var name: String
    var checks: [Check]
  }

  /// One image's.
  struct Subject {
    var name: String
    var suites: [Suite]
  }
}

extension Check {
  /// What a report comes to. With a gate, the gate alone is the test: it has accepted findings
  /// that would fail otherwise.
  ///
  /// - Parameter failOn: the lowest severity of a finding that fails.
  static func subjects(of report: Report, failOn: Severity) -> [Subject] {
    report.images.map { image in
      if let gate = report.gate {
        return Subject(name: image.path, suites: [Suite(name: "gate", checks: checks(of: gate))])
      }
      if let error = image.error {
        let check = Check(
          name: "can be inspected", result: .unknown("\(error.message) (\(error.code.rawValue))"))
        return Subject(name: image.path, suites: [Suite(name: "image", checks: [check])])
      }
      let rules = Suite(
        name: "rules",
        checks: Rule.all.map { check($0, image.findings.filter(of: $0), failOn: failOn) }
          + image.findings.filter { Rule.of($0.id) == nil }.map {
            check($0.id.text, [$0], failOn: failOn)
          })
      let paths = Suite(name: "boot-paths", checks: image.paths.map(check))
      let hosts = Suite(
        name: "hosts", checks: image.host?.hosts.map { check($0, image.findings) } ?? [])
      return Subject(
        name: image.path, suites: [rules] + [paths, hosts].filter { !$0.checks.isEmpty })
    }
  }

  private static func checks(of gate: GateResult) -> [Check] {
    guard !gate.reasons.isEmpty else { return [Check(name: "passes", result: .passed)] }
    return gate.reasons.map { reason in
      Check(
        name: [reason.kind.rawValue, reason.rule?.text].compactMap(\.self).joined(separator: " "),
        result: reason.fails ? .failed(reason.message) : .unknown(reason.message),
        details: reason.paths)
    }
  }

  private static func check(_ rule: Rule, _ findings: [Finding], failOn: Severity) -> Check {
    check("\(rule.id) \(rule.title)", findings, failOn: failOn)
  }

  private static func check(_ name: String, _ findings: [Finding], failOn: Severity) -> Check {
    let failing = findings.filter { $0.severity >= failOn }
    let lines = findings.flatMap { finding in
      ["\(finding.severity.rawValue): \(finding.message)"]
        + finding.locations.map { "at \($0.place)" } + finding.paths.map { "on \($0)" }
        + (finding.advice.isEmpty ? [] : ["advice: \(finding.advice)"])
    }
    guard let first = failing.first else {
      return Check(name: name, result: .passed, details: lines)
    }
    let more = failing.count > 1 ? " (and \(failing.count - 1) more)" : ""
    return Check(name: name, result: .failed(first.message + more), details: lines)
  }

  /// A host passes where KVM was asked and no error rests on what it said.
  private static func check(_ host: HostOutcome, _ findings: [Finding]) -> Check {
    let wrong = findings.first { $0.severity == .error && $0.paths.contains(host.id) }
    let result: Result =
      if let reason = host.undeterminedBecause {
        .unknown("undetermined: \(reason)")
      } else if let wrong {
        .failed("\(wrong.id): \(wrong.message)")
      } else {
        .passed
      }
    return Check(
      name: host.id, result: result,
      details: ["promises: \(host.promise)", "can force BHI_DIS_S: \(yesOrNo(host.ableToForce))"])
  }

  private static func check(_ path: JudgedPath) -> Check {
    let details = [
      "protection: \(path.protection)", "sysfs: \(path.outcome.sysfs ?? unknown)",
    ]
    let result: Result =
      if let reason = path.outcome.undeterminedBecause {
        .unknown("undetermined: \(reason)")
      } else {
        switch path.verdict {
        case .inadequate?: .failed("inadequate: \(path.protection)")
        case .undetermined?: .unknown("undetermined: \(path.protection)")
        case .adequate?, .excessive?: .passed
        case nil: .skipped("not judged")
        }
      }
    return Check(name: path.path.id, result: result, details: details)
  }
}

extension [Finding] {
  fileprivate func filter(of rule: Rule) -> [Finding] { filter { $0.id == rule.id } }
}
