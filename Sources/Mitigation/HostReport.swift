/// What the KVM of an image can promise its guests, and on which hosts.
public struct HostReport: Sendable, Hashable, Codable {
  /// The id of the contract whose capabilities were asked for.
  public var contract: String
  /// The modules that KVM was taken from; empty where it is built in.
  public var modules: [String]
  /// What the machine put in place of functions of the kernel while KVM ran.
  public var stubs: [Substitution]
  /// The functions that were asked.
  public var asked: [Location]
  /// Where KVM's code names the VMCS fields by which a guest's writes of SPEC_CTRL are held.
  public var fields: [Location]
  public var hosts: [HostOutcome]
  /// Why KVM could be run on no host; null if it could.
  @OrNull public var undeterminedBecause: String?

  public init(contract: String) {
    self.contract = contract
    modules = []
    stubs = []
    asked = []
    fields = []
    hosts = []
  }

  enum CodingKeys: String, CodingKey {
    case contract, modules, stubs, asked, fields, hosts
    case undeterminedBecause = "undetermined_because"
  }
}

/// What KVM's own code answered on one host.
public struct HostOutcome: Sendable, Hashable, Codable {
  /// cpu/host/statement.
  public let id: String
  /// The id of the CPU profile.
  public var cpu: String
  /// The id of the host profile: bare metal with these and those controls, or a guest itself.
  public var host: String
  /// What the hypervisor below tells this host; silent on bare metal.
  public var statement: Statement
  public var facts: HostFacts
  /// Whether KVM starts here; null if that is not known.
  @OrNull public var starts: Bool?
  /// What it returned where it does not start, such as -95 (EOPNOTSUPP) without VMX.
  @OrNull public var startError: Int?
  /// The bitmap of hints that /dev/kvm says hold on this host.
  @OrNull public var hints: Hex32?
  /// What these say; empty: nothing is promised.
  @OrNull public var promises: [Statement]?
  /// Whether /dev/kvm says that BHI_DIS_S can be forced.
  @OrNull public var ableToForce: Bool?
  /// Whether KVM, offered the control "virtualize IA32_SPEC_CTRL", takes it up; null where it is not
  /// offered, or where that cannot be seen.
  @OrNull public var takesControl: Bool?
  /// What KVM_GET_SUPPORTED_CPUID lists as the registers of the contract's leaf.
  @OrNull public var supported: CPUIDAccess?
  /// What a VM is told, by what its userspace asked for.
  public var machines: [HostVM]
  /// The functions that were called, in order.
  public var functions: [String]
  public var given: [String]
  public var derived: [String]
  @OrNull public var undeterminedBecause: String?

  public init(cpu: String, host: String, statement: Statement, facts: HostFacts) {
    id = "\(cpu)/\(host)/\(statement.rawValue)"
    self.cpu = cpu
    self.host = host
    self.statement = statement
    self.facts = facts
    machines = []
    functions = []
    given = []
    derived = []
  }

  enum CodingKeys: String, CodingKey {
    case id, cpu, host, statement, facts, starts
    case startError = "start_error"
    case hints, promises
    case ableToForce = "able_to_force"
    case takesControl = "takes_control"
    case supported, machines, functions, given, derived
    case undeterminedBecause = "undetermined_because"
  }
}

/// What a host's profile says of it.
public struct HostFacts: Sendable, Hashable, Codable {
  /// Whether it runs below a hypervisor and knows it.
  public var isGuest: Bool
  /// Whether it is known to be older than Alder Lake; never so for a guest, whose model is invented.
  public var isKnownOld: Bool
  /// Whether BHI affects it by its profile's statement; null if nobody says so.
  @OrNull public var affected: Bool?
  /// Whether SPEC_CTRL has BHI_DIS_S.
  public var showsBHIControl: Bool
  /// Whether VMX offers "virtualize IA32_SPEC_CTRL".
  public var offersControl: Bool
  /// BHI_NO in IA32_ARCH_CAPABILITIES.
  public var bhiNo: Bool

  public init(
    isGuest: Bool, isKnownOld: Bool, affected: Bool?, showsBHIControl: Bool, offersControl: Bool,
    bhiNo: Bool
  ) {
    self.isGuest = isGuest
    self.isKnownOld = isKnownOld
    self.affected = affected
    self.showsBHIControl = showsBHIControl
    self.offersControl = offersControl
    self.bhiNo = bhiNo
  }

  enum CodingKeys: String, CodingKey {
    case isGuest = "is_guest"
    case isKnownOld = "is_known_old"
    case affected
    case showsBHIControl = "shows_bhi_control"
    case offersControl = "offers_control"
    case bhiNo = "bhi_no"
  }
}

/// What KVM tells a VM whose userspace asked for something.
public struct HostVM: Sendable, Hashable, Codable {
  public enum Wish: String, Sendable, Hashable, Codable, CaseIterable {
    case nothing, force, stop
  }

  public var wish: Wish
  /// Whether KVM agreed.
  @OrNull public var accepted: Bool?
  /// What it says holds for this VM.
  @OrNull public var promises: [Statement]?
  @OrNull public var undeterminedBecause: String?

  public init(
    wish: Wish, accepted: Bool?, promises: [Statement]?, undeterminedBecause: String? = nil
  ) {
    self.wish = wish
    self.accepted = accepted
    self.promises = promises
    self.undeterminedBecause = undeterminedBecause
  }

  enum CodingKeys: String, CodingKey {
    case wish, accepted, promises
    case undeterminedBecause = "undetermined_because"
  }
}

extension KeyedDecodingContainer {
  /// Documents from before KVM was asked do not have the key.
  func decode(
    _: OrNull<HostReport>.Type, forKey key: Key
  ) throws -> OrNull<HostReport> {
    OrNull(wrappedValue: try decodeIfPresent(HostReport.self, forKey: key))
  }
}
