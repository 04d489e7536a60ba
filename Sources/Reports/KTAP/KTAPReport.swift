public import Mitigation

/// The report in the kernel's test protocol, version 1 (Documentation/dev-tools/ktap.rst): a test
/// for each image, in it one for the rules and one for the boot paths.
public struct KTAPReport {
  private var text = ""

  /// The document.
  ///
  /// - Parameter failOn: the lowest severity of a finding that is `not ok`.
  public static func render(_ report: Report, failOn: Severity = .error) -> String {
    var writer = KTAPReport()
    let subjects = Check.subjects(of: report, failOn: failOn)
    writer.header(nil, count: subjects.count, depth: 0)
    for (index, subject) in subjects.enumerated() {
      writer.header(subject.name, count: subject.suites.count, depth: 1)
      for (index, suite) in subject.suites.enumerated() {
        writer.header(suite.name, count: suite.checks.count, depth: 2)
        for (index, check) in suite.checks.enumerated() {
          writer.result(index, check.name, check.result, check.details, depth: 2)
        }
        writer.result(index, suite.name, .all(suite.checks.map(\.result)), depth: 1)
      }
      let results = subject.suites.map { Check.Result.all($0.checks.map(\.result)) }
      writer.result(index, subject.name, .all(results), depth: 0)
    }
    return writer.text
  }

  private mutating func header(_ name: String?, count: Int, depth: Int) {
    line("KTAP version 1", depth)
    if let name { line("# Subtest: \(Self.plain(name))", depth) }
    line("1..\(count)", depth)
  }

  private mutating func result(
    _ index: Int, _ name: String, _ result: Check.Result, _ details: [String] = [], depth: Int
  ) {
    let head = "\(index + 1) \(Self.plain(name))"
    switch result {
    case .passed:
      line("ok \(head)", depth)
    case .skipped(let message):
      line("ok \(head) # SKIP \(printable(message))", depth)
    case .failed(let message), .unknown(let message):
      // Diagnostics stand in front of the line they belong to.
      if !message.isEmpty {
        for text in [message] + details { line("# \(printable(text))", depth) }
      }
      if case .unknown = result, !message.isEmpty {
        line("not ok \(head) # ERROR undetermined", depth)
      } else {
        line("not ok \(head)", depth)
      }
    }
  }

  private mutating func line(_ content: String, _ depth: Int) {
    text += String(repeating: "  ", count: depth) + content + "\n"
  }

  /// A name without what ends one: a hash sign begins a directive.
  private static func plain(_ name: String) -> String {
    printable(name).replacing("#", with: "_")
  }
}

extension Check.Result {
  /// The result of a test whose parts came to `results`.
  fileprivate static func all(_ results: [Check.Result]) -> Check.Result {
    let isPassed = results.allSatisfy {
      switch $0 {
      case .passed, .skipped: true
      case .failed, .unknown: false
      }
    }
    return isPassed ? .passed : .failed("")
  }
}
