import BootMachine
import Mitigation

/// A kind of host to ask KVM on: an environment with what VMX can do there.
///
/// In data as an environment is: what is left out comes from the kind that `extends` names, and the
/// operations follow those of that kind.
public struct HostKind: Sendable, Hashable, Decodable {
  public var id: String
  public var title: String
  var extends: String?
  /// The id of the environment that the host itself boots in; nil: that of the kind it extends.
  var environment: String?
  var applies: Applicability?
  /// What the hypervisor below says; nil: nothing.
  var statements: [Statement]?
  /// What the host is booted with besides, as `kvm_intel.PARAMETER=1`; nil: nothing.
  var commandLine: String?
  var operations: [EnvironmentOperation]?
  var source: [String]?
}

/// A host as its kernel sees it.
struct HostRow: Sendable {
  var cpu: String
  var kind: HostKind
  var statement: Statement
  var processor: Processor

  /// What the profile says of it.
  var facts: HostFacts {
    let isGuest = processor.cpuid.showsHypervisor
    let capabilities = processor.msr(MSRIndex.archCapabilities) ?? 0
    return HostFacts(
      isGuest: isGuest, isKnownOld: !isGuest && processor.beforeAlderLake,
      affected: processor.affected, showsBHIControl: processor.showsBHIControl,
      offersControl: processor.virtualizesSpecCtrl,
      // ARCH_CAPABILITIES bit 20 (Intel SDM vol. 4).
      bhiNo: processor.enumeratesArchCapabilities && capabilities >> 20 & 1 != 0)
  }

  /// The same host without the control.
  var withoutControl: Processor {
    var processor = processor
    processor.msrs[VMXControl.tertiary, default: 0] &= ~VMXControl.virtualizeSpecCtrl
    return processor
  }
}

/// The VMX control by which a hypervisor holds bits of a guest's SPEC_CTRL (Intel SDM vol. 3C,
/// 25.6.2, and vol. 3D, A.3).
enum VMXControl {
  /// IA32_VMX_PROCBASED_CTLS: its upper half says which primary controls may be 1.
  static let primary: UInt32 = 0x482
  static let activateTertiary: UInt64 = 1 << (32 + 17)
  /// IA32_VMX_PROCBASED_CTLS3: the tertiary controls that may be 1.
  static let tertiary: UInt32 = 0x492
  static let virtualizeSpecCtrl: UInt64 = 1 << 7
  /// The VMCS fields IA32_SPEC_CTRL mask and shadow (Intel SDM vol. 3D, B.2.1).
  static let fields: [UInt32] = [0x204a, 0x204c]
}

extension Processor {
  /// Whether VMX offers the control "virtualize IA32_SPEC_CTRL".
  var virtualizesSpecCtrl: Bool {
    (msr(VMXControl.primary) ?? 0) & VMXControl.activateTertiary != 0
      && (msr(VMXControl.tertiary) ?? 0) & VMXControl.virtualizeSpecCtrl != 0
  }
}

extension MatrixCatalog {
  /// Every host of the catalogue: each kind on each processor that it applies to, with each
  /// statement that `contract` can make there.
  ///
  /// - Throws: for a kind that refers to what does not exist.
  func hostRows(_ contract: Contract) throws(DataError) -> [HostRow] {
    var known: [String: HostKind] = [:]
    var rows: [HostRow] = []
    for record in hosts {
      var kind = record
      if let name = record.extends {
        // A parent stands before what extends it, which also rules out cycles.
        guard let parent = known[name] else {
          throw DataError(
            file: DataFile.Kind.hosts.rawValue,
            message: "\(record.id) extends \(name), which does not stand before it")
        }
        kind.environment = record.environment ?? parent.environment
        kind.applies = record.applies ?? parent.applies
        kind.statements = record.statements ?? parent.statements
        kind.commandLine = record.commandLine ?? parent.commandLine
        kind.operations = (parent.operations ?? []) + (record.operations ?? [])
      }
      known[kind.id] = kind
      guard let id = kind.environment, let environment = environment(id: id) else {
        throw DataError(
          file: DataFile.Kind.hosts.rawValue,
          message: "\(kind.id): no environment \(kind.environment ?? "")")
      }
      for processor in processors.processors
      where kind.applies?.holds(for: processor) ?? true && environment.applies(to: processor) {
        for statement in kind.statements ?? [.silent] {
          var seen = try environment.apply(to: processor, catalog: processors)
          for operation in kind.operations ?? [] { operation.apply(to: &seen) }
          seen.derived.append("host \(kind.id)")
          guard contract.allows(statement, on: seen, in: environment) else { continue }
          seen = contract.state(statement, on: seen, in: environment)
          rows.append(
            HostRow(
              cpu: processor.id, kind: kind, statement: statement,
              processor: processors.assessed(seen, asGuest: environment.knowsItIsGuest)))
        }
      }
    }
    return rows
  }
}
