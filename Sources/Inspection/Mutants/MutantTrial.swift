import BootMachine
import Mitigation

/// What came of running a mutant on boot paths of the right build.
struct MutantTrial: Sendable {
  /// How its outcome differs, by the index of the path; nothing for those on which it does not.
  private(set) var differences: [Int: Set<MutantResult.Difference>] = [:]
  /// The paths that it was run on, or need not be run on.
  private(set) var settled: Set<Int> = []
  var remainder = MutantRemainder()

  mutating func add(_ found: Set<MutantResult.Difference>, on path: Int) {
    settled.insert(path)
    if !found.isEmpty { differences[path] = found }
  }

  /// It does not run what was changed.
  mutating func skip(_ path: Int) { settled.insert(path) }

  var kinds: Set<MutantResult.Difference> {
    differences.values.reduce(into: []) { $0.formUnion($1) }
  }

  var status: MutantResult.Status {
    let kinds = kinds
    return kinds.isEmpty ? .survived : kinds == [.undetermined] ? .broken : .killed
  }
}

/// What a mutant left behind otherwise than the right build, on all paths together on which its
/// outcome is the same.
struct MutantRemainder: Sendable {
  /// Bytes of memory.
  private(set) var bytes: Set<UInt64> = []
  /// Whether MSRs were written, or static calls directed, otherwise.
  private(set) var changesHardware = false
  private(set) var changesLog = false
  private(set) var isReached = false

  mutating func add(_ state: BootState, _ original: BootState, of mutant: PreparedMutant) {
    isReached = true
    // The change itself is no effect of it.
    let own = mutant.patch.range
    bytes.formUnion(state.differences(from: original).filter { !own.contains($0) })
    if state.writes != original.writes || state.staticCalls != original.staticCalls {
      changesHardware = true
    }
    if state.log != original.log { changesLog = true }
  }
}
