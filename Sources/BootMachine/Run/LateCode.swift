internal import Mitigation

/// Code of the image that a real boot runs behind the point where the machine stops.
public enum LateStep: Sendable, Hashable {
  /// What the last function of the chain does after the alternatives were patched.
  case restOfChain
  /// An init call (`__initcall_start`, include/linux/init.h).
  case initCall(name: String, address: UInt64)
}

/// What running late code led to.
public struct LateResult: Sendable, Hashable {
  /// The steps that ran to their end.
  public var done: [LateStep]
  /// The step that did not, and why; nil: all did. The outcome is then that before this step.
  public var failure: (step: LateStep, reason: String)? {
    failed.map { ($0, reason) }
  }
  /// The features that were set or cleared after the sites were patched.
  public var changedFeatures: [Int]

  private var failed: LateStep?
  private var reason: String

  init() {
    done = []
    changedFeatures = []
    failed = nil
    reason = ""
  }

  mutating func fail(_ step: LateStep, _ reason: String) {
    failed = step
    self.reason = reason
  }
}

extension BootMachine {
  /// Runs late code in its order and reads off what it changed.
  ///
  /// The sites were patched with what was known before; those of modules are patched anew, for a
  /// module is loaded later.
  mutating func runLate(
    _ request: BootRequest, after paused: PausedCall, _ aftermath: inout Aftermath
  ) -> LateResult {
    var result = LateResult()
    let warnings = machine.state.warnings.count
    // A warning of code that the decision does not need makes no path undetermined.
    defer { machine.state.warnings.removeSubrange(warnings...) }
    for step in request.late {
      let failure =
        switch step {
        case .restOfChain:
          machine.resume(paused, name: program.plan.chain.last?.name ?? "the chain")
        case .initCall(let name, let address):
          machine.call(BootPlan.Call(name: name, address: address))
        }
      var changed = aftermath
      if let failure = failure ?? reread(request, &changed) {
        result.fail(step, failure.text(in: program.kernel))
        return result
      }
      result.changedFeatures += Self.differences(
        aftermath.capabilities ?? [], changed.capabilities ?? [])
      aftermath = changed
      result.done.append(step)
    }
    return result
  }

  private mutating func reread(_ request: BootRequest, _ aftermath: inout Aftermath) -> Failure? {
    if let failure = readState(request, &aftermath) ?? patchModules() { return failure }
    // The engine does not see that the machine wrote there.
    machine.engine.forgetCode(in: machine.memory.map.modules.guestRange)
    return readSites(&aftermath)
  }

  /// The numbers of the bits that differ.
  private static func differences(_ before: [UInt32], _ after: [UInt32]) -> [Int] {
    zip(before, after).enumerated().flatMap { word, values in
      (0..<32).filter { (values.0 ^ values.1) >> UInt32($0) & 1 != 0 }.map { 32 * word + $0 }
    }
  }
}
