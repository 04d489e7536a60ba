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
  /// Bits of memory, by the address of their byte.
  private(set) var bits: [UInt64: UInt8] = [:]
  /// Whether SPEC_CTRL was written, or static calls directed, otherwise.
  private(set) var changesControl = false
  /// Whether other MSRs were written otherwise.
  private(set) var changesRegisters = false
  private(set) var changesLog = false
  private(set) var isReached = false

  /// - Parameter keys: of the static calls that matter.
  mutating func add(
    _ state: BootState, _ original: BootState, of mutant: PreparedMutant, keys: Set<UInt64>
  ) {
    isReached = true
    // The change itself is no effect of it.
    let own = mutant.patch.range
    for (address, changed) in state.differences(from: original) where !own.contains(address) {
      bits[address, default: 0] |= changed
    }
    if state.control != original.control || state.calls(keys) != original.calls(keys) {
      changesControl = true
    }
    if state.writes != original.writes { changesRegisters = true }
    if state.log != original.log { changesLog = true }
  }
}

extension BootState {
  fileprivate func calls(_ keys: Set<UInt64>) -> [[UInt64]] {
    staticCalls.filter { keys.contains($0[0]) }
  }

  /// The writes of SPEC_CTRL.
  fileprivate var control: [MSRAccess] { writes.filter { $0.index.value == MSRIndex.specCtrl } }
}
