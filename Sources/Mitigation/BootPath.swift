/// What a hypervisor says through a contract about the sequence its guest needs.
public enum Statement: String, Sendable, Hashable, Codable, CaseIterable {
  case silent
  case shortAdequate = "short-adequate"
  case longRequired = "long-required"
}

/// One way to boot an image: a CPU profile in an environment, with a statement and a command line.
public struct BootPath: Sendable, Hashable, Codable {
  /// The id of the CPU profile, or the name of a CPUID dump.
  public var cpu: String
  /// The id of the environment: bare metal or a hypervisor and what it shows.
  public var environment: String
  public var statement: Statement
  /// The name of the command line; stable when the matrix grows.
  public var commandLineName: String
  /// The command line itself, without what the image adds.
  public var commandLine: String

  public init(
    cpu: String, environment: String, statement: Statement, commandLineName: String,
    commandLine: String
  ) {
    self.cpu = cpu
    self.environment = environment
    self.statement = statement
    self.commandLineName = commandLineName
    self.commandLine = commandLine
  }

  /// cpu/environment/statement/command-line-name: what `diff` joins on.
  public var id: String { "\(cpu)/\(environment)/\(statement.rawValue)/\(commandLineName)" }
}

/// How an entry point is protected on a boot path.
public enum Mechanism: String, Sendable, Hashable, Codable, CaseIterable {
  /// The kernel does nothing: it takes the CPU for not affected, or has no code for it.
  case none
  /// Switched off, by the user or by the build.
  case off
  /// BHI_DIS_S in MSR_IA32_SPEC_CTRL.
  case hardware
  /// Indirect branches are retpolines.
  case retpoline
  /// The clearing sequence runs.
  case sequence
  /// Only the IBHF instruction, in code that the BPF JIT compiled.
  case ibhf
}

/// The sequence that runs at an entry point.
public enum SelectedSequence: String, Sendable, Hashable, Codable, CaseIterable {
  case short, long, deficient, none
}

/// How a path's protection compares with what the policy requires.
public enum Verdict: String, Sendable, Hashable, Codable, CaseIterable {
  case adequate, excessive, inadequate, undetermined
}

/// The least protection that a policy asks for at an entry point.
public enum Requirement: String, Sendable, Hashable, Codable, CaseIterable {
  case nothing
  case optedOut = "opted-out"
  case hardware
  case retpoline
  case shortOrLong = "short-or-long"
  case long
}

/// What a boot path gives at one entry point.
public struct EntryPointOutcome: Sendable, Hashable, Codable {
  @OrNull public var mechanism: Mechanism?
  @OrNull public var sequence: SelectedSequence?
  /// Whether IBHF follows the sequence, in code that the BPF JIT compiled; null elsewhere.
  @OrNull public var followedByIBHF: Bool?
  @OrNull public var required: Requirement?
  @OrNull public var verdict: Verdict?

  public init(
    mechanism: Mechanism?, sequence: SelectedSequence?, followedByIBHF: Bool? = nil,
    required: Requirement? = nil, verdict: Verdict? = nil
  ) {
    self.mechanism = mechanism
    self.sequence = sequence
    self.followedByIBHF = followedByIBHF
    self.required = required
    self.verdict = verdict
  }

  enum CodingKeys: String, CodingKey {
    case mechanism, sequence
    case followedByIBHF = "followed_by_ibhf"
    case required, verdict
  }
}

/// Something the machine did in place of the kernel or the hardware, and why that is sound.
public struct Substitution: Sendable, Hashable, Codable {
  public var symbol: String
  public var reason: String

  public init(symbol: String, reason: String) {
    self.symbol = symbol
    self.reason = reason
  }
}

/// A value of a model-specific register.
public struct MSRAccess: Sendable, Hashable, Codable {
  public enum Kind: String, Sendable, Hashable, Codable, CaseIterable { case read, write }
  public var kind: Kind
  public var index: Hex32
  /// The value read or written; null if the access faulted.
  @OrNull public var value: Address?

  public init(kind: Kind, index: Hex32, value: UInt64?) {
    self.kind = kind
    self.index = index
    self.value = value.map(Address.init)
  }
}

/// A CPUID query with the answer that was given.
public struct CPUIDAccess: Sendable, Hashable, Codable {
  public var leaf: Hex32
  public var subleaf: Hex32
  public var eax: Hex32
  public var ebx: Hex32
  public var ecx: Hex32
  public var edx: Hex32

  public init(
    leaf: UInt32, subleaf: UInt32, eax: UInt32, ebx: UInt32, ecx: UInt32, edx: UInt32
  ) {
    self.leaf = Hex32(leaf)
    self.subleaf = Hex32(subleaf)
    self.eax = Hex32(eax)
    self.ebx = Hex32(ebx)
    self.ecx = Hex32(ecx)
    self.edx = Hex32(edx)
  }
}

/// A static call that boot code directed somewhere.
public struct StaticCallUpdate: Sendable, Hashable, Codable {
  public var key: String
  public var target: String

  public init(key: String, target: String) {
    self.key = key
    self.target = target
  }
}

/// The bytes of a site after the kernel's own code patched it.
public struct PatchedSite: Sendable, Hashable, Codable {
  @OrNull public var entryPoint: EntryPoint?
  public var address: Address
  public var symbol: String
  public var bytes: HexBytes
  /// The bytes disassembled; null if they were not.
  @OrNull public var text: String?
  /// Whether these bytes run the sequence.
  public var runsSequence: Bool

  public init(
    entryPoint: EntryPoint?, address: UInt64, symbol: String, bytes: HexBytes,
    text: String? = nil, runsSequence: Bool
  ) {
    self.entryPoint = entryPoint
    self.address = Address(address)
    self.symbol = symbol
    self.bytes = bytes
    self.text = text
    self.runsSequence = runsSequence
  }

  enum CodingKeys: String, CodingKey {
    case entryPoint = "entry_point"
    case address, symbol, bytes, text
    case runsSequence = "runs_sequence"
  }
}

/// Everything an emulated boot showed: what `--explain` prints.
public struct Trace: Sendable, Hashable, Codable {
  public var functions: [String]
  public var cpuid: [CPUIDAccess]
  public var msrs: [MSRAccess]
  public var log: [String]
  public var warnings: [String]
  public var staticCalls: [StaticCallUpdate]
  public var sites: [PatchedSite]
  @OrNull public var sequence: SequenceVariant?
  /// Basic blocks and instructions that ran on the way to the decision.
  public var blocks: Int
  public var skippedInstructions: [String]

  public init() {
    functions = []
    cpuid = []
    msrs = []
    log = []
    warnings = []
    staticCalls = []
    sites = []
    sequence = nil
    blocks = 0
    skippedInstructions = []
  }

  enum CodingKeys: String, CodingKey {
    case functions, cpuid, msrs, log, warnings
    case staticCalls = "static_calls"
    case sites, sequence, blocks
    case skippedInstructions = "skipped_instructions"
  }
}

/// What an outcome rests on, in short.
public struct Evidence: Sendable, Hashable, Codable {
  public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
    /// The kernel's code ran.
    case executed
    /// Read from the image.
    case decoded
  }

  public var kind: Kind
  /// The functions of the kernel that were called, in order.
  public var chain: [String]
  /// What was left out of the usual chain, and why.
  public var narrowed: [String]
  /// The synthetic features that decide, as the kernel left them.
  public var features: [FeatureReference]
  /// Whether the kernel set X86_BUG_BHI; null if it has no such bug bit.
  @OrNull public var affected: Bool?
  /// The last value written to MSR_IA32_SPEC_CTRL; null if none was.
  @OrNull public var specCtrl: Address?
  /// The kernel's log lines about this mitigation.
  public var log: [String]
  /// Where the features, the log, the sysfs line and the patched sites contradict each other.
  public var disagreements: [String]
  /// The inputs that came from a dump or an option.
  public var given: [String]
  /// The inputs that came from a profile of our own.
  public var derived: [String]

  public init(
    kind: Kind = .executed, chain: [String] = [], narrowed: [String] = [],
    features: [FeatureReference] = [], affected: Bool? = nil, specCtrl: UInt64? = nil,
    log: [String] = [], disagreements: [String] = [], given: [String] = [],
    derived: [String] = []
  ) {
    self.kind = kind
    self.chain = chain
    self.narrowed = narrowed
    self.features = features
    self.affected = affected
    self.specCtrl = specCtrl.map(Address.init)
    self.log = log
    self.disagreements = disagreements
    self.given = given
    self.derived = derived
  }

  enum CodingKeys: String, CodingKey {
    case kind, chain, narrowed, features, affected
    case specCtrl = "spec_ctrl"
    case log, disagreements, given, derived
  }
}

/// What the kernel chose on a boot path.
public struct Outcome: Sendable, Hashable, Codable {
  /// The line of /sys/devices/system/cpu/vulnerabilities/spectre_v2, without the line feed.
  @OrNull public var sysfs: String?
  public var evidence: Evidence
  /// Why this path could not be determined; null if it was.
  @OrNull public var undeterminedBecause: String?
  /// The lines of all files in /sys/devices/system/cpu/vulnerabilities, when asked for.
  @OrNull public var vulnerabilities: [String: String]?
  /// The full trace, when asked for.
  @OrNull public var trace: Trace?

  public init(
    sysfs: String?, evidence: Evidence, undeterminedBecause: String? = nil,
    vulnerabilities: [String: String]? = nil, trace: Trace? = nil
  ) {
    self.sysfs = sysfs
    self.evidence = evidence
    self.undeterminedBecause = undeterminedBecause
    self.vulnerabilities = vulnerabilities
    self.trace = trace
  }

  enum CodingKeys: String, CodingKey {
    case sysfs, evidence
    case undeterminedBecause = "undetermined_because"
    case vulnerabilities, trace
  }
}

/// A boot path with what came of it.
public struct JudgedPath: Sendable, Hashable, Codable {
  public var path: BootPath
  @OrNull public var verdict: Verdict?
  public var outcome: Outcome
  public var entryPoints: [EntryPoint: EntryPointOutcome]

  public init(
    path: BootPath, verdict: Verdict? = nil, outcome: Outcome,
    entryPoints: [EntryPoint: EntryPointOutcome]
  ) {
    self.path = path
    self.verdict = verdict
    self.outcome = outcome
    self.entryPoints = entryPoints
  }

  private enum CodingKeys: String, CodingKey {
    case id, cpu, environment, statement
    case commandLine = "command_line"
    case commandLineName = "command_line_name"
    case verdict, outcome
    case entryPoints = "entry_points"
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    path = BootPath(
      cpu: try container.decode(String.self, forKey: .cpu),
      environment: try container.decode(String.self, forKey: .environment),
      statement: try container.decode(Statement.self, forKey: .statement),
      commandLineName: try container.decode(String.self, forKey: .commandLineName),
      commandLine: try container.decode(String.self, forKey: .commandLine))
    _verdict = try container.decode(OrNull<Verdict>.self, forKey: .verdict)
    outcome = try container.decode(Outcome.self, forKey: .outcome)
    entryPoints = try container.decode(
      [EntryPoint: EntryPointOutcome].self, forKey: .entryPoints)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(path.id, forKey: .id)
    try container.encode(path.cpu, forKey: .cpu)
    try container.encode(path.environment, forKey: .environment)
    try container.encode(path.statement, forKey: .statement)
    try container.encode(path.commandLine, forKey: .commandLine)
    try container.encode(path.commandLineName, forKey: .commandLineName)
    try container.encode(_verdict, forKey: .verdict)
    try container.encode(outcome, forKey: .outcome)
    try container.encode(entryPoints, forKey: .entryPoints)
  }
}
