public import BootMachine
import KernelImage
import Mitigation

/// Runs the rows of a matrix on an image, on as many threads as asked for.
public struct PathRunner: Sendable {
  public var jobs: Int
  public var wantsTrace: Bool
  public var wantsVulnerabilities: Bool
  /// Whether results say what was read that a hypervisor answers.
  var wantsReads = false

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
    return map(rows.count, of: program) { worker, index in
      worker.run(rows[index], line: line, self, late: late)
    }
  }

  /// What `body` makes of each index below `count`, on the threads of this runner, in order.
  func map<Value: Sendable>(
    _ count: Int, of program: BootProgram,
    _ body: @Sendable (inout PathWorker, Int) -> Value
  ) -> [Value] {
    inParallel(count, jobs: jobs, { PathWorker(program) }, body: body)
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
