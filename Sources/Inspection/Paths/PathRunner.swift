public import BootMachine
import KernelImage
import Mitigation
import Synchronization

/// Runs the rows of a matrix on an image, on as many threads as asked for.
public struct PathRunner: Sendable {
  public var jobs: Int
  public var wantsTrace: Bool
  public var wantsVulnerabilities: Bool
  /// Whether results say what was read that a hypervisor answers.
  var wantsReads = false

  /// After so many paths that do not end the others are not run: a damaged image could make each of
  /// hundreds run up to the limit.
  static let mostEndless = 4

  public init(jobs: Int = 1, wantsTrace: Bool = false, wantsVulnerabilities: Bool = false) {
    self.jobs = max(1, jobs)
    self.wantsTrace = wantsTrace
    self.wantsVulnerabilities = wantsVulnerabilities
  }

  /// The results in the order of the rows, with `late` run behind the decision.
  public func results(
    _ rows: [Matrix.Row], of program: BootProgram, late: [LateStep] = []
  ) -> [BootResult] {
    let line = EffectiveCommandLine(program.kernel.identity)
    let endless = Atomic(0)
    let found = map(
      rows.count, of: program, while: { endless.load(ordering: .relaxed) < Self.mostEndless }
    ) { worker, index in
      let result = worker.run(rows[index], line: line, self, late: late)
      if result.ranTooLong { endless.add(1, ordering: .relaxed) }
      return result
    }
    // Rows begin in their order, so all before the last of those counted were run. How many more the
    // other threads had begun by then must not show.
    var met = 0
    return zip(rows, found).map { row, result in
      guard met < Self.mostEndless, let result else {
        return .undetermined(
          "not run: \(Self.mostEndless) boot paths before it did not end", row.processor.evidence)
      }
      if result.ranTooLong { met += 1 }
      return result
    }
  }

  /// What `body` makes of each index below `count`, on the threads of this runner, in order; nil from
  /// where on `wanted` was false.
  func map<Value: Sendable>(
    _ count: Int, of program: BootProgram, while wanted: @Sendable () -> Bool = { true },
    _ body: @Sendable (inout PathWorker, Int) -> Value
  ) -> [Value?] {
    inParallel(count, jobs: jobs, { PathWorker(program) }, while: wanted, body: body)
  }
}

/// One thread's machine, or why there is none.
struct PathWorker: ~Copyable {
  private var machine: BootMachine?
  private var failure = ""

  init(_ program: BootProgram) {
    do {
      machine = try BootMachine(program)
    } catch {
      machine = nil
      failure = error.description
    }
  }

  mutating func run(
    _ row: Matrix.Row, line: EffectiveCommandLine, _ options: PathRunner, late: [LateStep]
  ) -> BootResult {
    if let reason = row.environment.unsupported {
      return .undetermined(reason, row.processor.evidence)
    }
    return run(
      BootRequest(
        processor: row.processor, commandLine: line.text(for: row.commandLine),
        wantsTrace: options.wantsTrace, wantsVulnerabilities: options.wantsVulnerabilities,
        late: late, wantsReads: options.wantsReads))
  }

  mutating func run(_ request: BootRequest) -> BootResult {
    do {
      if let result = try machine?.run(request) { return result }
      return .undetermined(failure, request.processor.evidence)
    } catch {
      return .undetermined(error.description, request.processor.evidence)
    }
  }
}

extension Processor {
  /// What is known of a path that was not run.
  fileprivate var evidence: Evidence { Evidence(given: given, derived: derived) }
}

extension BootResult {
  /// What is said of a path that was not run.
  static func undetermined(_ reason: String, _ evidence: Evidence) -> BootResult {
    BootResult(
      outcome: Outcome(sysfs: nil, evidence: evidence, undeterminedBecause: reason),
      entryPoints: [:], sequence: nil)
  }
}
