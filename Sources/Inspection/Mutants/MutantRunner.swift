import Alternatives
import BootMachine
import Dispatch
import KernelImage
import Mitigation
import Synchronization

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

  /// How many times the blocks of the right build a mutant may run before it counts as one that
  /// does not end.
  static let blockFactor = 8

  // MARK: The right build

  /// The outcomes of the right build with what ran, in the order of `rows`.
  func originals(_ rows: [Matrix.Row]) -> [OriginalPath?] {
    let line = EffectiveCommandLine(program.kernel.identity)
    return parallel(rows.count) { index, worker in
      let row = rows[index]
      guard row.environment.unsupported == nil else { return nil }
      var request = BootRequest(
        processor: row.processor, commandLine: line.text(for: row.commandLine))
      request.wantsRecord = true
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

  /// Records with memory accesses of as few paths as run everything that any of `paths` ran.
  func watched(_ paths: [OriginalPath]) -> [PathRecord] {
    let chosen = PathCover(paths.map { $0.record.blocks }).chosen.map(\.index)
    return parallel(chosen.count, watchesMemory: true) { index, worker in
      var request = paths[chosen[index]].request
      request.wantsRecord = true
      request.blockLimit = nil
      return worker.run(request)?.record
    }.compactMap(\.self)
  }

  // MARK: Mutants

  /// For each mutant how its outcome differs on each path: by the path's index, nothing for those
  /// on which it does not.
  func differences(
    _ mutants: [PreparedMutant], _ paths: [OriginalPath]
  ) -> [[Int: Set<MutantResult.Difference>]] {
    parallel(mutants.count) { index, worker in
      let mutant = mutants[index]
      var found: [Int: Set<MutantResult.Difference>] = [:]
      for (number, path) in paths.enumerated() where reaches(mutant, path) {
        var request = path.request
        request.patches = [mutant.patch]
        let difference =
          worker.run(request).map { differences($0, from: path) } ?? [.undetermined]
        if !difference.isEmpty { found[number] = difference }
      }
      return found
    }
  }

  /// What the mutants that survived left behind otherwise than the right build.
  func remainders(_ mutants: [PreparedMutant], _ paths: [OriginalPath]) -> [MutantRemainder] {
    parallel(mutants.count) { index, worker in
      let mutant = mutants[index]
      var remainder = MutantRemainder()
      for path in paths where reaches(mutant, path) {
        var request = path.request
        request.patches = [mutant.patch]
        request.wantsRecord = true
        guard let state = worker.run(request)?.state else { continue }
        remainder.add(state, path.state, of: mutant)
      }
      return remainder
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

  private func reaches(_ mutant: PreparedMutant, _ path: OriginalPath) -> Bool {
    mutant.isData || path.record.ran(mutant.patch.range)
  }

  // MARK: Threads

  /// What `body` makes of each index, each on the machine of the thread that took it.
  private func parallel<Value: Sendable>(
    _ count: Int, watchesMemory: Bool = false,
    _ body: @Sendable (Int, inout MutantWorker) -> Value
  ) -> [Value] {
    let next = Atomic(0)
    let values = Mutex([Value?](repeating: nil, count: count))
    DispatchQueue.concurrentPerform(iterations: max(1, min(jobs, count))) { _ in
      var worker = MutantWorker(program, watchesMemory: watchesMemory)
      while true {
        let index = next.add(1, ordering: .relaxed).oldValue
        guard index < count else { return }
        let value = body(index, &worker)
        values.withLock { $0[index] = value }
      }
    }
    return values.withLock { $0.compactMap(\.self) }
  }
}

/// One thread's machine.
struct MutantWorker: ~Copyable {
  private var machine: BootMachine?

  init(_ program: BootProgram, watchesMemory: Bool) {
    machine = try? BootMachine(program, watchesMemory: watchesMemory)
  }

  /// Nil if there is no machine, or the path cannot be begun.
  mutating func run(_ request: BootRequest) -> BootResult? {
    (try? machine?.run(request)) ?? nil
  }
}

/// What a mutant left behind otherwise than the right build, on all paths together.
struct MutantRemainder: Sendable {
  var words: Set<UInt64> = []
  /// Whether MSRs were written, or static calls directed, otherwise.
  var changesHardware = false
  var changesLog = false
  var isReached = false

  mutating func add(_ state: BootState, _ original: BootState, of mutant: PreparedMutant) {
    isReached = true
    // The change itself is no effect of it.
    let own = mutant.patch.range
    words.formUnion(
      state.differences(from: original).filter { !($0..<$0 &+ 4).overlaps(own) })
    if state.writes != original.writes || state.staticCalls != original.staticCalls {
      changesHardware = true
    }
    if state.log != original.log { changesLog = true }
  }
}
