import Alternatives
import BootMachine
public import KernelImage
public import Mitigation

/// Makes wrong builds of an image, and says which of its boot paths notice them.
public struct Mutation: Sendable {
  public var matrix: Matrix
  /// How to find the bits that the image listens to, so that the paths state them; nil: they state
  /// those of the matrix' contract.
  public var discovery: Discovery?
  /// What paths are judged by; nil: they are not.
  public var policy: Policy?
  public var jobs: Int
  /// Ids of the mutants that are wanted; empty: all.
  public var only: [String]
  /// The most mutants to take: spread over all of them. Nil: all.
  public var limit: Int?
  /// Whether to run them.
  public var isScored: Bool
  /// Whether to run each of them on every path that runs what it changes, not only until one kills
  /// it.
  public var runsEveryPath: Bool

  /// How many mutants are run unless somebody asks for more.
  public static let usualLimit = 400

  public init(
    matrix: Matrix, discovery: Discovery? = nil, policy: Policy? = nil, jobs: Int = 1,
    only: [String] = [], limit: Int? = nil, isScored: Bool = true, runsEveryPath: Bool = false
  ) {
    self.matrix = matrix
    self.discovery = discovery
    self.policy = policy
    self.jobs = max(1, jobs)
    self.only = only
    self.limit = limit
    self.isScored = isScored
    self.runsEveryPath = runsEveryPath
  }

  /// The mutants of a kernel and what became of them.
  ///
  /// Errors: `library` if the emulator or the disassembler cannot be used, or the image cannot be
  /// run at all.
  public func report(
    on subject: MutationSubject, tool: Report.Tool
  ) throws(ImageError) -> MutationReport {
    do {
      return try made(subject, tool)
    } catch let error as DecoderError {
      throw ImageError(.failedLibrary, error.description)
    } catch let error as MachineError {
      throw ImageError(.failedLibrary, error.description)
    } catch {
      throw ImageError(.failedLibrary, "\(error)")
    }
  }

  private func made(
    _ subject: MutationSubject, _ tool: Report.Tool
  ) throws -> MutationReport {
    let analysis = try StaticAnalysis(subject.kernel, modules: subject.modules)
    let program = try BootProgram(subject.kernel, analysis)
    let runner = MutantRunner(
      program: program, policy: policy, jobs: jobs, runsEveryPath: runsEveryPath)
    let matrix = try stating(program)
    let all = runner.originals(matrix.rows)
    let paths = all.compactMap(\.self).filter { $0.result.outcome.undeterminedBecause == nil }
    let leading = MutantRunner.leading(paths)
    var decided = program.decidedBits
    for variable in analysis.functions.functions.flatMap(\.variables) {
      decided[variable.address] = 0xFF
    }
    let code = try DecisionCode(runner.steps(paths, leading), program, decided: decided) { shown in
      runner.dependence(of: leading.map { paths[$0] }, on: shown)
    }
    let possible = try MutantMaker(code, program, analysis, paths.map(\.record)).made()
    let mutants = chosen(possible)
    let determined = Set(paths.map(\.row.path.id))
    var report = MutationReport(
      tool: tool, image: subject.path, kernel: subject.kernel.identity.release,
      contract: matrix.contract?.id, possible: possible.count,
      mutants: mutants.map { MutantResult(mutant: $0.mutant, status: .notRun) },
      paths: paths.count,
      undeterminedPaths: matrix.rows.map(\.path.id).filter { !determined.contains($0) },
      isScored: isScored, runsEveryPath: runsEveryPath, smallestPathSet: [])
    guard isScored else { return report }
    let first = runner.trials(mutants, paths, leading: leading)
    let trials = runner.compared(first, mutants, paths)
    report.mutants = zip(mutants, trials).map { mutant, trial in
      result(of: mutant, trial, paths, code.choice, subject.kernel)
    }
    report.smallestPathSet = smallest(trials, paths)
    return report
  }

  /// The matrix, under the contract that the image was found to speak.
  private func stating(_ program: BootProgram) throws -> Matrix {
    let found = discovery?.contract(of: program, matrix, jobs: jobs)
    let stating = try found.map { try Matrix.standard(matrix.catalog, contract: $0) } ?? matrix
    return matrix.isComplete ? stating.withEdges() : stating
  }

  /// The mutants that were asked for.
  ///
  /// With a limit: first those of the sequence, its sites and its counts, then the others, spread.
  private func chosen(_ mutants: [PreparedMutant]) -> [PreparedMutant] {
    let wanted = Set(only)
    let mutants = wanted.isEmpty ? mutants : mutants.filter { wanted.contains($0.mutant.id) }
    guard let limit, limit < mutants.count, limit >= 0 else { return mutants }
    let first = mutants.filter { $0.mutant.operator.isOfSequence }.prefix(limit)
    let others = mutants.filter { !$0.mutant.operator.isOfSequence }
    let rest = limit - first.count
    let spread = (0..<min(rest, others.count)).map { others[$0 * others.count / rest] }
    return (first + spread).sorted {
      ($0.mutant.address, $0.mutant.id) < ($1.mutant.address, $1.mutant.id)
    }
  }

  private func result(
    of mutant: PreparedMutant, _ trial: MutantTrial, _ paths: [OriginalPath],
    _ choice: [UInt64: UInt8], _ kernel: KernelImage
  ) -> MutantResult {
    let kinds = trial.kinds
    var result = MutantResult(
      mutant: mutant.mutant, status: trial.status,
      killedBy: trial.differences.keys.sorted().map { paths[$0].row.path.id },
      differences: MutantResult.Difference.allCases.filter(kinds.contains))
    if result.status == .survived {
      result.reason = trial.remainder.reason(choice)
      result.detail = trial.remainder.detail(kernel)
    }
    return result
  }

  private func smallest(
    _ trials: [MutantTrial], _ paths: [OriginalPath]
  ) -> [MutationReport.ChosenPath] {
    var noticed = [[Int]](repeating: [], count: paths.count)
    for (mutant, trial) in trials.enumerated() {
      for path in trial.differences.keys { noticed[path].append(mutant) }
    }
    return PathCover(noticed).chosen.map {
      MutationReport.ChosenPath(path: paths[$0.index].row.path.id, adds: $0.adds)
    }
  }
}

extension Mutant.Operator {
  /// Whether it changes the sequence or a site, and not how it is chosen.
  fileprivate var isOfSequence: Bool {
    switch self {
    case .countChanged, .entryRemoved, .featureChanged, .entryNegated, .fenceRemoved: true
    default: false
    }
  }
}
