import ArgumentParser
import Inspection
import Mitigation

/// What boot paths are judged by.
struct JudgingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The policy: default, bhi-ctrl (long if BHI_CTRL is shown), or bhi-ctrl-or-hypervisor.",
      valueName: "id"))
  var policy = Policy.defaultID

  /// The policy that was asked for.
  func policy(of catalog: MatrixCatalog) throws -> Policy {
    guard let found = catalog.policy(id: policy) else {
      let known = catalog.policies.map(\.id).joined(separator: ", ")
      throw ValidationError("no policy \(policy); known are \(known)")
    }
    return found
  }
}
