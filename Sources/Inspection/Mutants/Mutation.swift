import Alternatives
import BootMachine
public import KernelImage
public import Mitigation

/// Makes wrong builds of an image, and says which of its boot paths notice them.
public struct Mutation: Sendable {
  public var matrix: Matrix
  /// What paths are judged by; nil: they are not.
  public var policy: Policy?
  public var jobs: Int
  /// Ids of the mutants that are wanted; empty: all.
  public var only: [String]
  /// The most mutants to take: spread over all of them. Nil: all.
  public var limit: Int?
  /// Whether to run them.
  public var isScored: Bool

  public init(
    matrix: Matrix, policy: Policy? = nil, jobs: Int = 1, only: [String] = [], limit: Int? = nil,
    isScored: Bool = true
  ) {
    self.matrix = matrix
    self.policy = policy
    self.jobs = max(1, jobs)
    self.only = only
    self.limit = limit
    self.isScored = isScored
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
      throw ImageError(.library, error.description)
    } catch let error as MachineError {
      throw ImageError(.library, error.description)
    } catch {
      throw ImageError(.library, "\(error)")
    }
  }

  private func made(
    _ subject: MutationSubject, _ tool: Report.Tool
  ) throws -> MutationReport {
    let kernel = subject.kernel
    let analysis = try StaticAnalysis(kernel, modules: subject.modules)
    let program = try BootProgram(kernel, analysis)
    let runner = MutantRunner(program: program, policy: policy, jobs: jobs)
    let all = zip(matrix.rows, runner.originals(matrix.rows))
    let paths = all.compactMap(\.1).filter { $0.result.outcome.undeterminedBecause == nil }
    let determined = Set(paths.map(\.row.path.id))
    let maker = try MutantMaker(
      kernel, program, analysis, records: paths.map(\.record), watched: runner.watched(paths))
    let (possible, words) = maker.made()
    let mutants = chosen(possible)
    var report = MutationReport(
      tool: tool, image: subject.path, kernel: kernel.identity.release, possible: possible.count,
      mutants: mutants.map { MutantResult(mutant: $0.mutant, status: .notRun) },
      paths: paths.count,
      undeterminedPaths: matrix.rows.map(\.path.id).filter { !determined.contains($0) },
      isScored: isScored, smallestPathSet: [])
    guard isScored else { return report }
    let differences = runner.differences(mutants, paths)
    report.mutants = zip(mutants, differences).map { mutant, found in
      result(of: mutant, found, paths)
    }
    explain(&report, mutants, paths, runner, words, kernel)
    report.smallestPathSet = smallest(differences, paths)
    return report
  }

  /// The mutants that were asked for.
  private func chosen(_ mutants: [PreparedMutant]) -> [PreparedMutant] {
    let wanted = Set(only)
    let mutants = wanted.isEmpty ? mutants : mutants.filter { wanted.contains($0.mutant.id) }
    guard let limit, limit < mutants.count, limit >= 0 else { return mutants }
    return (0..<limit).map { mutants[$0 * mutants.count / limit] }
  }

  private func result(
    of mutant: PreparedMutant, _ found: [Int: Set<MutantResult.Difference>],
    _ paths: [OriginalPath]
  ) -> MutantResult {
    let kinds = found.values.reduce(into: Set()) { $0.formUnion($1) }
    let status: MutantResult.Status =
      kinds.isEmpty ? .survived : kinds == [.undetermined] ? .broken : .killed
    return MutantResult(
      mutant: mutant.mutant, status: status,
      killedBy: found.keys.sorted().map { paths[$0].row.path.id },
      differences: MutantResult.Difference.allCases.filter(kinds.contains))
  }

  /// Finds reasons for those that survived.
  private func explain(
    _ report: inout MutationReport, _ mutants: [PreparedMutant], _ paths: [OriginalPath],
    _ runner: MutantRunner, _ words: Set<UInt64>, _ kernel: KernelImage
  ) {
    let survivors = report.mutants.indices.filter { report.mutants[$0].status == .survived }
    let remainders = runner.remainders(survivors.map { mutants[$0] }, paths)
    for (index, remainder) in zip(survivors, remainders) {
      report.mutants[index].reason = remainder.reason(words)
      report.mutants[index].detail = remainder.detail(kernel)
    }
  }

  private func smallest(
    _ differences: [[Int: Set<MutantResult.Difference>]], _ paths: [OriginalPath]
  ) -> [MutationReport.ChosenPath] {
    var noticed = [[Int]](repeating: [], count: paths.count)
    for (mutant, found) in differences.enumerated() {
      for path in found.keys { noticed[path].append(mutant) }
    }
    return PathCover(noticed).chosen.map {
      MutationReport.ChosenPath(path: paths[$0.index].row.path.id, adds: $0.adds)
    }
  }
}

/// An image to make mutants of, with the modules that belong to it.
public struct MutationSubject: Sendable {
  /// As it was given.
  public var path: String
  public var kernel: KernelImage
  public var modules: [KernelModule]

  public init(path: String, kernel: KernelImage, modules: [KernelModule] = []) {
    self.path = path
    self.kernel = kernel
    self.modules = modules
  }

  /// Opens an artefact, with modules and a System.map that were given beside it.
  ///
  /// Errors: those of `KernelImage` and `KernelModule`, and why the artefact could not be opened.
  public init(
    _ artefact: Artefact, modules: [Artefact.Member] = [], systemMap: Artefact.Member? = nil
  ) throws(ImageError) {
    if let failure = artefact.failure { throw failure }
    path = artefact.path
    kernel = try KernelImage(artefact, systemMap: systemMap)
    self.modules = []
    for member in artefact.modules + modules { self.modules.append(try KernelModule(member)) }
  }
}

extension MutantRemainder {
  /// Why nobody can notice it; nil if that is not known.
  func reason(_ read: Set<UInt64>) -> MutantResult.Reason? {
    guard isReached else { return .notReached }
    guard !changesHardware else { return nil }
    if words.isEmpty { return changesLog ? .elsewhere : .sameState }
    return words.isDisjoint(with: read) ? .elsewhere : nil
  }

  /// What it changes, for people; nil if that is nothing.
  func detail(_ kernel: KernelImage) -> String? {
    var names: [String] = []
    for word in words.sorted() {
      let name = kernel.symbols.nearest(to: word)?.name ?? hexadecimal(word)
      if !names.contains(name) { names.append(name) }
    }
    let shown = 6
    var parts: [String] = []
    if !names.isEmpty {
      parts.append(
        names.prefix(shown).joined(separator: ", ")
          + (names.count > shown ? " and \(names.count - shown) more" : ""))
    }
    if changesHardware { parts.append("MSR writes or static calls") }
    if changesLog { parts.append("lines of the log") }
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
  }
}
