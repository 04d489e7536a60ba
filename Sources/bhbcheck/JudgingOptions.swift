import ArgumentParser
import Inspection
import Mitigation

/// By what boot paths are judged.
struct JudgingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The policy: default, bhi-ctrl (long if BHI_CTRL is shown), or bhi-ctrl-or-hypervisor.",
      valueName: "id"))
  var policy: String?

  @Option(
    help: ArgumentHelp(
      "How a hypervisor conveys its statement; by default the first contract.", valueName: "id"))
  var contract: String?

  @OptionGroup var data: DataOptions

  /// The id of the policy that applies.
  var policyID: String { policy ?? Policy.defaultID }

  /// A report without images that says by what they are judged.
  func head(_ catalog: MatrixCatalog, discovery: Discovery? = nil) throws -> Report {
    Report(
      tool: BHBCheck.tool, policy: policyID, contracts: discovery?.contracts.map(\.id) ?? [],
      overrides: try catalog.reported, images: [])
  }

  /// The policy that was asked for.
  func policy(of catalog: MatrixCatalog) throws -> Policy {
    guard let found = catalog.policy(id: policyID) else {
      let known = catalog.policies.map(\.id).joined(separator: ", ")
      throw ValidationError("there is no policy '\(policyID)'; there are \(known)")
    }
    return found
  }

  /// The contract that was asked for; nil if none was.
  func contract(of catalog: MatrixCatalog) throws -> Contract? {
    guard let contract else { return nil }
    guard let found = catalog.contract(id: contract) else {
      let known = catalog.contracts.map(\.id).joined(separator: ", ")
      throw ValidationError("there is no contract '\(contract)'; there are \(known)")
    }
    return found
  }

  /// The default matrix under the contract that was asked for.
  func matrix(_ catalog: MatrixCatalog) throws -> Matrix {
    try Matrix.standard(catalog, contract: try contract(of: catalog))
  }
}
