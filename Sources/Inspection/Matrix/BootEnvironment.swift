public import BootMachine
import Mitigation

/// Where a kernel boots: on the hardware itself, or under a hypervisor that shows it this and that.
public struct BootEnvironment: Sendable, Hashable {
  /// Memory and registers that are encrypted against the hypervisor.
  public enum Confidentiality: String, Sendable, Hashable, Decodable, CaseIterable {
    case tdx
    case sevSNP = "sev-snp"
  }

  /// Where a hypervisor names itself in CPUID.
  public struct Hypervisor: Sendable, Hashable {
    /// The twelve characters without trailing zeros.
    public var signature: String
    /// The leaf that holds the signature: 0x40000000 plus a multiple of 0x100.
    public var base: UInt32
  }

  public var id: String
  public var title: String
  public var isGuest: Bool
  /// Whether the HYPERVISOR bit tells the kernel so; false on bare metal too.
  public var knowsItIsGuest: Bool
  public var confidential: Confidentiality?
  /// The hypervisor that a contract speaks to; nil if none names itself.
  public var hypervisor: Hypervisor?
  public var operations: [EnvironmentOperation]
  /// Why its start cannot be run, so that every path in it is undetermined; nil if it can.
  public var unsupported: String?
  public var source: [String]
  private var applicability: Applicability

  /// Whether this environment differs from others on `processor`, and makes sense there.
  public func applies(to processor: Processor) -> Bool { applicability.holds(for: processor) }

  /// What a kernel sees of `processor` in this environment.
  ///
  /// - Throws: if it shows another processor that `catalog` does not have.
  public func apply(
    to processor: Processor, catalog: ProcessorCatalog
  ) throws(DataError) -> Processor {
    var seen = processor
    for operation in operations {
      if case .showProcessor(let id) = operation {
        guard let shown = catalog.processor(id: id) else {
          throw DataError(file: "environments", message: "\(self.id): no processor \(id)")
        }
        seen.cpuid = shown.cpuid
        seen.msrs = shown.msrs
        seen.derived += shown.derived
      } else {
        operation.apply(to: &seen)
      }
    }
    if !operations.isEmpty { seen.derived.append("environment \(id)") }
    // A guest that cannot know that it is one is judged by what it can know.
    return catalog.assessed(seen, asGuest: knowsItIsGuest)
  }

  /// The environment that a dump was taken in: nothing changes, and the HYPERVISOR bit tells what
  /// it was.
  public static func asDumped(_ processor: Processor) -> BootEnvironment {
    var hypervisor: Hypervisor?
    if processor.cpuid.showsHypervisor {
      // The highest base wins: KVM beside Hyper-V's own leaves is at 0x40000100.
      for base in stride(from: 0x4000_0000 as UInt32, to: 0x4001_0000, by: 0x100) {
        if let signature = processor.hypervisorSignature(at: base) {
          hypervisor = Hypervisor(signature: signature, base: base)
        }
      }
    }
    let isGuest = processor.cpuid.showsHypervisor
    return BootEnvironment(
      id: "as-dumped", title: isGuest ? "as dumped, a guest" : "as dumped, no hypervisor seen",
      isGuest: isGuest, knowsItIsGuest: isGuest, confidential: confidentiality(of: processor),
      hypervisor: hypervisor, operations: [], unsupported: nil, source: [],
      applicability: Applicability())
  }

  /// What CPUID and, for SEV, MSR 0xC0010131 say about a confidential guest.
  private static func confidentiality(of processor: Processor) -> Confidentiality? {
    guard processor.cpuid.showsHypervisor else { return nil }
    if let leaf = processor.cpuid[0x21, 0], [leaf.ebx, leaf.edx, leaf.ecx] == tdxSignature {
      return .tdx
    }
    let sevStatus = processor.msrs[0xC001_0131] ?? 0
    return sevStatus >> 2 & 1 != 0 ? .sevSNP : nil
  }

  /// "IntelTDX    " in EBX, EDX, ECX of leaf 0x21.
  private static let tdxSignature: [UInt32] = [0x6574_6E49, 0x5844_546C, 0x2020_2020]

  init(
    id: String, title: String, isGuest: Bool, knowsItIsGuest: Bool,
    confidential: Confidentiality?, hypervisor: Hypervisor?,
    operations: [EnvironmentOperation], unsupported: String?, source: [String],
    applicability: Applicability
  ) {
    self.id = id
    self.title = title
    self.isGuest = isGuest
    self.knowsItIsGuest = knowsItIsGuest
    self.confidential = confidential
    self.hypervisor = hypervisor
    self.operations = operations
    self.unsupported = unsupported
    self.source = source
    self.applicability = applicability
  }
}

/// Which processors an environment is for; what is nil does not matter.
struct Applicability: Sendable, Hashable, Decodable {
  var vendors: [String]?
  /// Ids of processors.
  var cpus: [String]?
  /// Whether the processor shows BHI_CTRL.
  var bhiControl: Bool?
  /// Whether it shows RRSBA_CTRL: CPUID.(7,2):EDX[2].
  var rrsbaControl: Bool?

  func holds(for processor: Processor) -> Bool {
    if let vendors, !vendors.contains(processor.vendor?.rawValue ?? "") { return false }
    if let cpus, !cpus.contains(processor.id) { return false }
    if let bhiControl, bhiControl != processor.showsBHIControl { return false }
    if let rrsbaControl,
      rrsbaControl != (processor.cpuid[7, 2].map { $0.edx >> 2 & 1 != 0 } ?? false)
    {
      return false
    }
    return true
  }
}

/// An environment as its data file writes it: fields that are left out come from the one it extends.
struct EnvironmentRecord: Decodable {
  struct HypervisorRecord: Decodable {
    var signature: String
    var base: Hex32
  }

  var id: String
  var title: String
  var extends: String?
  var guest: Bool?
  var knowsItIsGuest: Bool?
  var confidential: BootEnvironment.Confidentiality?
  var hypervisor: HypervisorRecord?
  var applies: Applicability?
  var operations: [EnvironmentOperation]?
  var unsupported: String?
  var source: [String]?

  /// The environment, its operations after those of `parent`.
  func environment(parent: BootEnvironment?) -> BootEnvironment {
    let isGuest = guest ?? parent?.isGuest ?? false
    return BootEnvironment(
      id: id, title: title, isGuest: isGuest,
      knowsItIsGuest: knowsItIsGuest ?? parent?.knowsItIsGuest ?? isGuest,
      confidential: confidential ?? parent?.confidential,
      hypervisor: hypervisor.map { .init(signature: $0.signature, base: $0.base.value) }
        ?? parent?.hypervisor,
      operations: (parent?.operations ?? []) + (operations ?? []),
      unsupported: unsupported ?? parent?.unsupported,
      source: (parent?.source ?? []) + (source ?? []),
      applicability: applies ?? parent?.inheritedApplicability ?? Applicability())
  }
}

extension BootEnvironment {
  fileprivate var inheritedApplicability: Applicability { applicability }
}
