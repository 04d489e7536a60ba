import Foundation
public import Mitigation

extension JSONReport {
  /// Real boots as one JSON document; keys are sorted by name.
  ///
  /// - Throws: `EncodingError`, which no report can cause.
  public static func render(_ report: BootReport) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(report), as: UTF8.self) + "\n"
  }
}

/// Real boots in the formats that people and test harnesses read.
public struct BootReports: Sendable {
  public init() {}

  // MARK: Text

  public func text(_ report: BootReport) -> String {
    let name = report.kernel.map { "\(report.image) (\($0))" } ?? report.image
    var lines = ["\(name): \(summary(report))", ""]
    for boot in report.boots {
      lines.append("\(word(boot.status))  \(boot.path.id)")
      if let sysfs = boot.sysfs { lines.append("         \(shown(sysfs))") }
      if let reason = boot.reason { lines.append("         \(shown(reason))") }
      for check in boot.checks where !check.passed { lines += describe(check) }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// One line when a boot is done.
  public func progress(_ done: Int, of all: Int, _ boot: BootedPath) -> String {
    "\(done)/\(all) \(boot.status.rawValue) \(boot.path.id)"
  }

  private func summary(_ report: BootReport) -> String {
    let booted = report.boots.count - report.count(.skipped)
    var parts = ["\(report.count(.agrees)) of \(booted) boots as the decision table says"]
    for status in [BootedPath.Status.differs, .failed, .skipped] where report.count(status) > 0 {
      parts.append("\(report.count(status)) \(status.rawValue)")
    }
    return parts.joined(separator: ", ")
  }

  private func word(_ status: BootedPath.Status) -> String {
    switch status {
    case .agrees: "agrees "
    case .differs: "DIFFERS"
    case .failed: "FAILED "
    case .skipped: "skipped"
    }
  }

  private func describe(_ check: BootCheck) -> [String] {
    ["         \(shown(check.name))", "           expected  \(shown(check.expected))"]
      + ["           found     \(shown(check.found))"]
  }

  private func shown(_ text: String) -> String {
    text.isEmpty ? "nothing" : printable(text.replacing("\n", with: " | "))
  }

  // MARK: KTAP

  /// Linux' dialect of TAP (Documentation/dev-tools/ktap.rst): a boot is a test, its comparisons are
  /// subtests.
  public func ktap(_ report: BootReport) -> String {
    var lines = ["KTAP version 1", "1..\(report.boots.count)"]
    for (number, boot) in report.boots.enumerated() {
      let name = "\(number + 1) \(description(boot.path.id))"
      switch boot.status {
      case .skipped: lines.append("ok \(name) # SKIP \(shown(boot.reason ?? ""))")
      case .failed:
        lines += ["# \(shown(boot.reason ?? ""))", "not ok \(name)"]
      case .agrees, .differs:
        lines += ["  KTAP version 1", "  1..\(boot.checks.count)"]
        for (part, check) in boot.checks.enumerated() {
          if !check.passed {
            lines += describe(check).map { "  # \($0.drop { $0 == " " })" }
          }
          lines.append(
            "  \(check.passed ? "ok" : "not ok") \(part + 1) \(description(check.name))")
        }
        lines.append("\(boot.status == .agrees ? "ok" : "not ok") \(name)")
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// A test's description ends at a `#`.
  private func description(_ text: String) -> String {
    shown(text).replacing("#", with: "\\#")
  }

  // MARK: JUnit

  public func junit(_ report: BootReport) -> String {
    var writer = XMLWriter()
    writer.element("testsuites", [("name", "\(report.tool.name) boot")]) { writer in
      let counts = [
        ("tests", report.boots.count), ("failures", report.count(.differs)),
        ("errors", report.count(.failed)), ("skipped", report.count(.skipped)),
      ]
      writer.element(
        "testsuite", [("name", report.image)] + counts.map { ($0, String($1)) }
      ) { writer in
        for boot in report.boots {
          writer.element("testcase", [("classname", "boot"), ("name", boot.path.id)]) { writer in
            write(boot, to: &writer)
          }
        }
      }
    }
    return writer.text
  }

  private func write(_ boot: BootedPath, to writer: inout XMLWriter) {
    let reason = [("message", boot.reason ?? "")]
    switch boot.status {
    case .agrees: break
    case .skipped: writer.element("skipped", reason, text: "")
    case .failed: writer.element("error", reason, text: "")
    case .differs:
      let failed = boot.checks.filter { !$0.passed }
      writer.element(
        "failure", [("message", failed.map(\.name).joined(separator: ", "))],
        text: failed.flatMap(describe).joined(separator: "\n"))
    }
  }
}
