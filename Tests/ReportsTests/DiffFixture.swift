import Mitigation
import Testing

extension Fixture {
  /// From the kernel as it ships to one with a long sequence, which lost a site on the way.
  static func comparison() -> ComparisonReport {
    let before = shortKernel()
    var after = shortKernel()
    after.path = "vmlinuz-patched"
    after.kernel?.release = "6.12.117-patched"
    after.paths.removeLast()
    after.paths.append(
      path("granite-rapids", "bare-metal", verdict: .adequate, sysfs: nil, [:]))
    for index in after.paths.indices {
      for (point, outcome) in after.paths[index].entryPoints where outcome.verdict == .inadequate {
        after.paths[index].entryPoints[point] = EntryPointOutcome(
          mechanism: .sequence, sequence: .long, required: .long, verdict: .adequate)
      }
      if after.paths[index].verdict == .inadequate { after.paths[index].verdict = .adequate }
    }
    after.paths[0].verdict = .inadequate
    after.paths[0].outcome.sysfs = "Vulnerable"
    after.paths[0].entryPoints[.int80]? = EntryPointOutcome(
      mechanism: Mechanism.none, sequence: SelectedSequence.none, required: .shortOrLong,
      verdict: .inadequate)
    after.paths[2].verdict = .undetermined
    after.paths[2].outcome.undeterminedBecause = "the step limit was reached"
    after.paths[2].outcome.sysfs = nil
    after.paths[2].entryPoints = [:]
    after.findings = [
      Finding(
        .missingSite, "The sequence has no site at int80.", paths: [after.paths[0].path.id],
        locations: [
          Location(
            image: "vmlinux", address: Address(0xffff_ffff_8200_0b00),
            symbol: "asm_int80_emulation")
        ])
    ]
    var kept = before.findings[2]
    kept.paths = [after.paths[2].path.id]
    kept.severity = .error
    after.findings.append(kept)
    return comparison(from: before, to: after)
  }

  static func comparison(from before: ImageReport, to after: ImageReport) -> ComparisonReport {
    let isReadable = before.error == nil && after.error == nil
    var other = report([after])
    other.contracts.append("virtual-msr")
    return ComparisonReport(
      tool: .init(name: "bhbcheck", version: "1.0.0"),
      before: .init(path: "before.json", image: before, in: report([before], policy: "strict")),
      after: .init(path: after.path, image: after, in: other),
      comparison: isReadable ? Comparison(from: before, to: after) : nil)
  }

  static let comparisons: [NamedComparison] = [
    NamedComparison(name: "much changed", report: comparison()),
    NamedComparison(
      name: "nothing changed", report: comparison(from: shortKernel(), to: shortKernel())),
    NamedComparison(
      name: "no path in common", report: comparison(from: absentKernel(), to: shortKernel())),
    NamedComparison(
      name: "a failed image", report: comparison(from: failedImage(), to: shortKernel())),
  ]
}

/// A comparison with a name, so that a test's output names it and does not print it whole.
struct NamedComparison: Sendable, CustomTestStringConvertible {
  var name: String
  var report: ComparisonReport
  var testDescription: String { name }
}
