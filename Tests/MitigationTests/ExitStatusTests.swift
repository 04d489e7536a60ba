import Mitigation
import Testing

@Suite struct ExitStatusTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var name: String
    var images: [ImageReport]
    var failOn = Severity.error
    var status: Int32
    var bisection: Int32
    var testDescription: String { name }
  }

  static let rows: [Row] = [
    Row(name: "no image", images: [], status: 0, bisection: 0),
    Row(name: "nothing found", images: [image()], status: 0, bisection: 0),
    Row(name: "an error", images: [image(.error)], status: 1, bisection: 1),
    Row(name: "a warning", images: [image(.warning)], status: 0, bisection: 0),
    Row(
      name: "a warning, bar lowered", images: [image(.warning)], failOn: .warning, status: 1,
      bisection: 1),
    Row(
      name: "a note, bar at warning", images: [image(.note)], failOn: .warning, status: 0,
      bisection: 0),
    Row(
      name: "a note, bar at note", images: [image(.note)], failOn: .note, status: 1, bisection: 1),
    Row(name: "malformed", images: [image(failed: .malformed)], status: 65, bisection: 125),
    Row(name: "not found", images: [image(failed: .notFound)], status: 66, bisection: 125),
    Row(
      name: "a fault of the tool", images: [image(failed: .internal)], status: 70, bisection: 128),
    Row(
      name: "the fault of the tool is not hidden",
      images: [image(failed: .internal), image(failed: .malformed)], status: 70, bisection: 128),
    Row(
      name: "a finding beats a failed input", images: [image(failed: .notFound), image(.error)],
      status: 1, bisection: 1),
    Row(
      name: "a failed input beats a finding below the bar",
      images: [image(.warning), image(failed: .truncated)], status: 65, bisection: 125),
    Row(name: "undetermined", images: [image(path: .undetermined)], status: 2, bisection: 125),
    Row(
      name: "a finding beats undetermined", images: [image(.error, path: .undetermined)],
      status: 1, bisection: 1),
    Row(
      name: "a failed input beats undetermined",
      images: [image(path: .undetermined), image(failed: .noPermission)], status: 66,
      bisection: 125),
    Row(
      name: "excessive is no fault", images: [image(.note, path: .excessive)], status: 0,
      bisection: 0),
    Row(
      name: "undetermined without a policy", images: [image(reason: "step limit")], status: 2,
      bisection: 125),
    Row(
      name: "undetermined at one entry point",
      images: [image(path: .inadequate, entryPoint: .undetermined)], status: 2, bisection: 125),
  ]

  @Test(arguments: rows)
  func theStatusFollowsFromTheReport(row: Row) {
    let report = Report(tool: .init(name: "bhbcheck", version: "0"), images: row.images)
    #expect(ExitStatus.of(report, failOn: row.failOn) == row.status)
    #expect(ExitStatus.ofBisection(report, failOn: row.failOn) == row.bisection)
  }

  @Test(arguments: ImageFailure.Code.allCases)
  func everyFailureHasAStatusOfItsOwnKind(code: ImageFailure.Code) {
    let expected: Int32 =
      switch code {
      case .notFound, .noPermission, .unreadable: 66
      case .internal: 70
      default: 65
      }
    #expect(code.exitStatus == expected)
  }

  private static func image(
    _ severity: Severity? = nil, failed code: ImageFailure.Code? = nil, path: Verdict? = nil,
    reason: String? = nil, entryPoint: Verdict = .adequate
  ) -> ImageReport {
    var image = ImageReport(path: "vmlinuz")
    image.error = code.map { ImageFailure(code: $0, message: "it failed") }
    image.findings =
      severity.map {
        [Finding(id: RuleID("BHB999"), severity: $0, message: "found", advice: "mend it")]
      } ?? []
    if path != nil || reason != nil {
      image.paths = [
        JudgedPath(
          path: BootPath(
            cpu: "haswell", environment: "bare-metal", statement: .silent,
            commandLineName: "default", commandLine: ""),
          verdict: path,
          outcome: Outcome(sysfs: nil, evidence: Evidence(), undeterminedBecause: reason),
          entryPoints: [
            .syscall64: EntryPointOutcome(
              mechanism: .sequence, sequence: .short, required: .long, verdict: entryPoint)
          ])
      ]
    }
    return image
  }
}
