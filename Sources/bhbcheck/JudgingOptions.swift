import ArgumentParser
import BootMachine
import Inspection

/// By what boot paths are judged.
struct JudgingOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The policy that says what each boot path needs.", valueName: "id"))
  var policy: String?

  @Option(
    help: ArgumentHelp(
      "How a hypervisor conveys its statement; by default the first contract.", valueName: "id"))
  var contract: String?

  /// The default matrix under the contract that was asked for.
  func matrix(_ catalog: MatrixCatalog) throws -> Matrix {
    if let policy { throw ValidationError("there is no policy '\(policy)'") }
    return try Matrix.standard(catalog, contract: try contract(in: catalog))
  }

  private func contract(in catalog: MatrixCatalog) throws -> Contract? {
    guard let contract else { return nil }
    guard let found = catalog.contract(id: contract) else {
      throw ValidationError(
        "there is no contract '\(contract)'; there are "
          + catalog.contracts.map(\.id).joined(separator: ", "))
    }
    return found
  }
}
