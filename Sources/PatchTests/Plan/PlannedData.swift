public import BootMachine
import Foundation
public import Inspection
public import Mitigation

/// A contract as a plan holds it: the text of `contracts.json`, whose format it has.
public struct PlannedContract: Sendable, Hashable, Codable {
  public var id: String
  public var title: String
  public var signature: String?
  public var offset: String?
  public var register: String?
  public var msr: String?
  public var shortAdequate: Int
  public var longRequired: Int?
  public var source: String

  private enum CodingKeys: String, CodingKey {
    case id, title, signature, offset, register, msr
    case shortAdequate = "short_adequate"
    case longRequired = "long_required"
    case source
  }
}

/// A command line as a plan holds it: the text of `command-lines.json`, whose format it has.
public struct PlannedCommandLine: Sendable, Hashable, Codable {
  public var name: String
  public var line: String
  public var switchesOff: [AttackVector]
  public var reason: String

  private enum CodingKeys: String, CodingKey {
    case name, line
    case switchesOff = "switches_off"
    case reason
  }
}

/// By what a running kernel, or a shell on it, knows that it is on a boot path.
public struct PlannedMachine: Sendable, Hashable, Codable {
  /// The twelve characters of CPUID leaf 0.
  public var vendor: String
  public var family: Int
  public var model: Int
  /// CPUID.1:ECX[31].
  public var showsHypervisor: Bool
  /// The hypervisor's signature; null if none is shown.
  @OrNull public var hypervisor: String?
  /// CPUID.(7,2):EDX[4].
  public var showsBHIControl: Bool
  /// IA32_ARCH_CAPABILITIES as far as the kernel can read it; null if it is not there.
  @OrNull public var archCapabilities: Address?
  /// Whether the guest's memory is encrypted against its hypervisor.
  public var isConfidential: Bool

  private enum CodingKeys: String, CodingKey {
    case vendor, family, model
    case showsHypervisor = "shows_hypervisor"
    case hypervisor
    case showsBHIControl = "shows_bhi_ctrl"
    case archCapabilities = "arch_capabilities"
    case isConfidential = "confidential"
  }

  init(_ row: Matrix.Row) {
    let processor = row.processor
    vendor = processor.vendorName
    family = processor.family
    model = processor.model
    showsHypervisor = processor.cpuid.showsHypervisor
    showsBHIControl = processor.showsBHIControl
    isConfidential = row.environment.confidential != nil
    hypervisor = row.environment.hypervisor?.signature
    archCapabilities =
      processor.enumeratesArchCapabilities
      ? processor.msr(MSRIndex.archCapabilities).map(Address.init) : nil
  }
}

extension TestPlan {
  /// What the plan adds to the catalogue.
  public var dataFiles: [DataFile] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    var files: [DataFile] = []
    if !contracts.isEmpty, let data = try? encoder.encode(["contracts": contracts]) {
      files.append(DataFile(kind: .contracts, path: "the plan's contracts", bytes: Array(data)))
    }
    if !commandLines.isEmpty, let data = try? encoder.encode(["command_lines": commandLines]) {
      files.append(
        DataFile(kind: .commandLines, path: "the plan's command lines", bytes: Array(data)))
    }
    return files
  }

  /// The decision table's boot paths, as the hypervisors of the plan's contract make statements.
  public func table(_ catalog: MatrixCatalog) throws(DataError) -> Matrix {
    let catalog = try MatrixCatalog.standard(overrides: catalog.overrides + dataFiles)
    return try Matrix.standard(catalog, contract: contract.flatMap(catalog.contract))
  }

  /// All boot paths that the plan may name: those of the table, and the edges that some mutants show
  /// on alone.
  public func matrix(_ catalog: MatrixCatalog) throws(DataError) -> Matrix {
    try table(catalog).withEdges()
  }
}
