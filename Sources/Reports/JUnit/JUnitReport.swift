public import Mitigation

/// The report as JUnit XML, which CI services show: for each image a suite of rules and a suite of
/// boot paths. What is undetermined, or could not be read, is an `error`, never a pass.
public struct JUnitReport {
  /// The document.
  ///
  /// - Parameter failOn: the lowest severity of a finding that is a failure; others are output of
  ///   a test that passes.
  public static func render(_ report: Report, failOn: Severity = .error) -> String {
    let subjects = Check.subjects(of: report, failOn: failOn)
    let suites = subjects.flatMap { subject in subject.suites.map { (subject.name, $0) } }
    var writer = XMLWriter()
    writer.element(
      "testsuites",
      // Jenkins' schema has no count of skipped tests here.
      [("name", report.tool.name)]
        + counts(suites.flatMap(\.1.checks)).filter { $0.0 != "skipped" }
    ) { writer in
      for (image, suite) in suites {
        writer.element(
          "testsuite", [("name", "\(image) \(suite.name)")] + counts(suite.checks)
        ) { writer in
          for check in suite.checks { write(check, "\(image).\(suite.name)", to: &writer) }
        }
      }
    }
    return writer.text
  }

  private static func write(_ check: Check, _ className: String, to writer: inout XMLWriter) {
    let attributes = [("classname", className), ("name", check.name), ("time", "0")]
    let details = check.details.joined(separator: "\n")
    writer.element("testcase", attributes) { writer in
      switch check.result {
      case .passed:
        if !details.isEmpty { writer.element("system-out", text: details) }
      case .failed(let message):
        writer.element("failure", [("message", message), ("type", "finding")], text: details)
      case .unknown(let message):
        writer.element("error", [("message", message), ("type", "undetermined")], text: details)
      case .skipped(let message):
        writer.element("skipped", [("message", message)], text: "")
      }
    }
  }

  private static func counts(_ checks: [Check]) -> [(String, String)] {
    func count(_ isCounted: (Check.Result) -> Bool) -> String {
      String(checks.count { isCounted($0.result) })
    }
    return [
      ("tests", String(checks.count)),
      ("failures", count { if case .failed = $0 { true } else { false } }),
      ("errors", count { if case .unknown = $0 { true } else { false } }),
      ("skipped", count { if case .skipped = $0 { true } else { false } }), ("time", "0"),
    ]
  }
}
