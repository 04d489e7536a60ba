import BootMachine
import KernelImage
import Mitigation

/// A mutant with what a machine must know to run it.
struct PreparedMutant: Sendable {
  var mutant: Mutant
  /// Whether it changes data, which may matter on every path, and not code, which matters only
  /// where it runs.
  var isData: Bool

  var patch: Patch { Patch(address: mutant.address.value, bytes: mutant.changed.bytes) }
}

/// A boot path of the right build: what a mutant is held against.
struct OriginalPath: Sendable {
  var row: Matrix.Row
  var request: BootRequest
  var result: BootResult
  var record: PathRecord
  var state: BootState
}

/// Runs mutants on the boot paths of the build they were made from.
///
/// A mutant whose code a path does not run cannot change that path, and is not run on it.
struct MutantRunner: Sendable {
  let program: BootProgram
  /// What outcomes are judged by; nil: they are not.
  let policy: Policy?
  let jobs: Int
  /// Whether a mutant is run on every path, also when one has killed it.
  let runsEveryPath: Bool

  /// How many times the blocks of the right build a mutant may run before it counts as one that
  /// does not end.
  static let blockFactor = 4
  /// After so many paths without an outcome, a mutant is broken.
  static let brokenLimit = 3

  // MARK: The right build

  /// The outcomes of the right build with what ran, in the order of `rows`; nil for those that
  /// cannot be run.
  func originals(_ rows: [Matrix.Row]) -> [OriginalPath?] {
    let line = EffectiveCommandLine(program.kernel.identity)
    return MutantWorker.map(rows.count, of: program, jobs: jobs) { index, worker in
      let row = rows[index]
      guard row.environment.unsupported == nil else { return nil }
      var request = BootRequest(
        processor: row.processor, commandLine: line.text(for: row.commandLine))
      request.wantsRecord = true
      request.wantsState = true
      var result = worker.run(request)
      guard let record = result?.record, let state = result?.state else { return nil }
      result?.record = nil
      result?.state = nil
      guard let result else { return nil }
      request.wantsRecord = false
      request.blockLimit = record.blockCount * Self.blockFactor
      return OriginalPath(row: row, request: request, result: result, record: record, state: state)
    }
  }

  /// What a path shows that others may not.
  private enum Trait: Hashable {
    case block(UInt64)
    case outcome([EntryPoint: EntryPointOutcome], sysfs: String?)
  }

  /// As few paths as together run everything, and have every outcome, that any of `paths` has.
  static func leading(_ paths: [OriginalPath]) -> [Int] {
    PathCover(
      paths.map { path in
        path.record.blocks.map { Trait.block($0.address) }
          + [outcome(path)]
      }
    ).chosen.map(\.index)
  }

  private static func outcome(_ path: OriginalPath) -> Trait {
    .outcome(path.result.entryPoints, sysfs: path.result.outcome.sysfs)
  }

  /// The boots of `chosen`, instruction by instruction.
  func steps(_ paths: [OriginalPath], _ chosen: [Int]) -> [BootSteps] {
    MutantWorker.map(chosen.count, of: program, jobs: jobs, watchesMemory: true) { index, worker in
      var request = paths[chosen[index]].request
      request.wantsRecord = true
      request.wantsState = false
      request.blockLimit = nil
      return worker.run(request)?.record?.steps
    }.compactMap(\.self)
  }

  /// Those of `bits` on which the outcome of some path depends: inverted at the end of the boot, they
  /// change it.
  ///
  /// Many bits are tried together first; most have no effect. One path of each outcome is tried.
  func dependence(of paths: [OriginalPath], on bits: [UInt64: UInt8]) -> [UInt64: UInt8] {
    var outcomes: Set<Trait> = []
    let paths = paths.filter { outcomes.insert(Self.outcome($0)).inserted }
    let words = Dictionary(grouping: bits.keys.sorted()) { $0 & ~7 }
    let groups = words.sorted { $0.key < $1.key }.map { word in
      word.value.flatMap { address -> [(address: UInt64, bit: UInt8)] in
        let mask = bits[address] ?? 0
        return (0..<UInt8(8)).filter { mask >> $0 & 1 != 0 }.map { (address, UInt8(1) << $0) }
      }
    }
    let found = MutantWorker.map(groups.count, of: program, jobs: jobs) { index, worker in
      needed(groups[index][...], paths, &worker)
    }
    return found.reduce(into: [:]) { $0.merge($1) { $0 | $1 } }
  }

  private func needed(
    _ bits: ArraySlice<(address: UInt64, bit: UInt8)>, _ paths: [OriginalPath],
    _ worker: inout MutantWorker
  ) -> [UInt64: UInt8] {
    let all = bits.reduce(into: [UInt64: UInt8]()) { $0[$1.address, default: 0] |= $1.bit }
    guard depends(paths, on: all, &worker) else { return [:] }
    guard bits.count > 1 else { return all }
    let middle = bits.startIndex + bits.count / 2
    return needed(bits[..<middle], paths, &worker)
      .merging(needed(bits[middle...], paths, &worker)) { $0 | $1 }
  }

  private func depends(
    _ paths: [OriginalPath], on bits: [UInt64: UInt8], _ worker: inout MutantWorker
  ) -> Bool {
    paths.contains { path in
      var request = path.request
      request.wantsState = false
      request.flipped = bits
      return worker.run(request).map { !$0.differences(from: path.result).isEmpty } ?? true
    }
  }

  // MARK: Mutants

  /// Runs each mutant on the paths, `leading` first, until one of them kills it.
  func trials(
    _ mutants: [PreparedMutant], _ paths: [OriginalPath], leading: [Int]
  ) -> [MutantTrial] {
    let others = Set(leading)
    let order = leading + paths.indices.filter { !others.contains($0) }
    return MutantWorker.map(mutants.count, of: program, jobs: jobs) { index, worker in
      var trial = MutantTrial()
      for path in order where !isSettled(trial) {
        run(mutants[index], on: path, paths, &trial, &worker)
      }
      return trial
    }
  }

  private func isSettled(_ trial: MutantTrial) -> Bool {
    guard !runsEveryPath else { return false }
    return trial.differences.count >= Self.brokenLimit
      || trial.differences.values.contains { $0 != [.undetermined] }
  }

  /// Runs those that were noticed on every path that was the first to kill one of them, so that it
  /// is known which of these paths notice what.
  func compared(
    _ trials: [MutantTrial], _ mutants: [PreparedMutant], _ paths: [OriginalPath]
  ) -> [MutantTrial] {
    let killers = Set(trials.flatMap(\.differences.keys)).sorted()
    return MutantWorker.map(mutants.count, of: program, jobs: jobs) { index, worker in
      var trial = trials[index]
      guard !trial.differences.isEmpty else { return trial }
      for path in killers where !trial.settled.contains(path) {
        run(mutants[index], on: path, paths, &trial, &worker)
      }
      return trial
    }
  }

  private func run(
    _ mutant: PreparedMutant, on index: Int, _ paths: [OriginalPath], _ trial: inout MutantTrial,
    _ worker: inout MutantWorker
  ) {
    let path = paths[index]
    guard mutant.isData || path.record.ran(mutant.patch.range) else { return trial.skip(index) }
    var request = path.request
    request.patches = [mutant.patch]
    let result = worker.run(request)
    let found = result.map { differences($0, from: path) } ?? [.undetermined]
    trial.add(found, on: index)
    if found.isEmpty, let state = result?.state {
      trial.remainder.add(state, path.state, of: mutant, keys: program.decidedCalls)
    }
  }

  private func differences(
    _ result: BootResult, from path: OriginalPath
  ) -> Set<MutantResult.Difference> {
    var found = result.differences(from: path.result)
    // The same outcome has the same verdict.
    if !found.isEmpty, !found.contains(.undetermined),
      verdict(result, path) != verdict(path.result, path)
    {
      found.insert(.verdict)
    }
    return found
  }

  private func verdict(_ result: BootResult, _ path: OriginalPath) -> Verdict? {
    let judged = JudgedPath(
      path: path.row.path, outcome: result.outcome, entryPoints: result.entryPoints)
    return policy?.judged(judged, PathFacts(path.row, result.outcome)).verdict
  }
}
