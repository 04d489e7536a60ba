public import BootMachine
import Dispatch
import KernelImage
import Mitigation
import Synchronization

/// Runs the rows of a matrix on an image, on as many threads as asked for.
public struct PathRunner: Sendable {
  public var jobs: Int
  public var wantsTrace: Bool
  public var wantsVulnerabilities: Bool

  public init(jobs: Int = 1, wantsTrace: Bool = false, wantsVulnerabilities: Bool = false) {
    self.jobs = max(1, jobs)
    self.wantsTrace = wantsTrace
    self.wantsVulnerabilities = wantsVulnerabilities
  }

  /// The results in the order of the rows, with `late` run behind the decision.
  ///
  /// Each thread builds a machine of its own and runs it to the end: an emulator belongs to the
  /// thread that made it, and must not block the cooperative pool.
  public func results(
    _ rows: [Matrix.Row], of program: BootProgram, late: [LateStep] = []
  ) -> [BootResult] {
    let next = Atomic(0)
    let results = Mutex([BootResult?](repeating: nil, count: rows.count))
    let workers = min(jobs, max(1, rows.count))
    let line = EffectiveCommandLine(program.kernel.identity)
    @Sendable func work() {
      var worker = Worker(program)
      while true {
        let index = next.add(1, ordering: .relaxed).oldValue
        guard index < rows.count else { return }
        let result = worker.run(rows[index], line: line, self, late: late)
        results.withLock { $0[index] = result }
      }
    }
    if workers == 1 {
      work()
    } else {
      DispatchQueue.concurrentPerform(iterations: workers) { _ in work() }
    }
    return results.withLock { results in
      results.map { $0 ?? .undetermined("the path was not run", Evidence()) }
    }
  }
}

/// One thread's machine, or why there is none.
private struct Worker: ~Copyable {
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
    let evidence = Evidence(given: row.processor.given, derived: row.processor.derived)
    if let reason = row.environment.unsupported { return .undetermined(reason, evidence) }
    let request = BootRequest(
      processor: row.processor, commandLine: line.text(for: row.commandLine),
      wantsTrace: options.wantsTrace, wantsVulnerabilities: options.wantsVulnerabilities,
      late: late)
    do {
      guard let result = try machine?.run(request) else { return .undetermined(failure, evidence) }
      return result
    } catch {
      return .undetermined(error.description, evidence)
    }
  }
}

extension BootResult {
  /// What is said of a path that was not run.
  static func undetermined(_ reason: String, _ evidence: Evidence) -> BootResult {
    BootResult(
      outcome: Outcome(sysfs: nil, evidence: evidence, undeterminedBecause: reason),
      entryPoints: [:], sequence: nil)
  }
}
