/// The document that bhbcheck writes: one for each run, whatever the number of images.
///
/// Its schema is docs/report.schema.json. Additions are allowed; a name changes only with a new
/// `formatVersion`.
public struct Report: Sendable, Hashable, Codable {
  public static let currentFormatVersion = 1

  public struct Tool: Sendable, Hashable, Codable {
    public var name: String
    public var version: String

    public init(name: String, version: String) {
      self.name = name
      self.version = version
    }
  }

  /// A data file of the user's that extends or overrides a built-in one.
  public struct Override: Sendable, Hashable, Codable {
    public var file: String
    /// SHA-256 of its bytes.
    public var hash: String

    public init(file: String, hash: String) {
      self.file = file
      self.hash = hash
    }
  }

  public var formatVersion: Int
  public var tool: Tool
  /// The id of the policy; null if no boot path was judged.
  @OrNull public var policy: String?
  /// The ids of the contracts that were looked for.
  public var contracts: [String]
  public var overrides: [Override]
  public var images: [ImageReport]
  /// What `gate` says of the image. The one key that only some documents have.
  public var gate: GateResult?

  public init(
    tool: Tool, policy: String? = nil, contracts: [String] = [], overrides: [Override] = [],
    images: [ImageReport], gate: GateResult? = nil
  ) {
    self.formatVersion = Self.currentFormatVersion
    self.tool = tool
    self.policy = policy
    self.contracts = contracts
    self.overrides = overrides
    self.images = images
    self.gate = gate
  }

  enum CodingKeys: String, CodingKey {
    case formatVersion = "format_version"
    case tool, policy, contracts, overrides, images, gate
  }
}

/// Why an image could not be inspected.
public struct ImageFailure: Sendable, Hashable, Codable {
  /// The kinds of failure: those of opening an image, and the tool's own.
  public enum Code: String, Sendable, Hashable, Codable, CaseIterable {
    case notFound = "not-found"
    case noPermission = "no-permission"
    case unreadable
    case unsupportedFormat = "unsupported-format"
    case wrongArchitecture = "wrong-architecture"
    case truncated
    case malformed
    case tooLarge = "too-large"
    case noKernel = "no-kernel"
    case failedLibrary = "library-failure"
    /// A fault of the tool, not of the image.
    case `internal`
  }

  public var code: Code
  /// What was expected and what was found, in one line.
  public var message: String
  /// Where in the file, in bytes from its start.
  @OrNull public var offset: Address?

  public init(code: Code, message: String, offset: UInt64? = nil) {
    self.code = code
    self.message = message
    self.offset = offset.map(Address.init)
  }
}

/// What identifies a kernel.
public struct KernelIdentity: Sendable, Hashable, Codable {
  public enum Architecture: String, Sendable, Hashable, Codable, CaseIterable {
    case amd64 = "x86_64"
    case i386
  }

  @OrNull public var release: String?
  @OrNull public var buildID: String?
  @OrNull public var banner: String?
  @OrNull public var architecture: Architecture?
  /// The size of the ELF file, in bytes.
  @OrNull public var size: Int?
  /// The command line built into the image (CONFIG_CMDLINE); null if unknown.
  @OrNull public var builtInCommandLine: String?
  /// CONFIG_CMDLINE_OVERRIDE; null if unknown.
  @OrNull public var builtInOverrides: Bool?
  /// The bootconfig embedded in the image; null if there is none or it is unknown.
  @OrNull public var bootconfig: String?
  /// The command line that came with the image (a unified kernel image's).
  @OrNull public var artefactCommandLine: String?
  /// Configuration options that matter here; null where the configuration is unknown.
  @OrNull public var configuration: [String: String]?

  public init(
    release: String?, buildID: String?, banner: String?, architecture: Architecture?,
    size: Int?,
    builtInCommandLine: String? = nil, builtInOverrides: Bool? = nil, bootconfig: String? = nil,
    artefactCommandLine: String? = nil, configuration: [String: String]? = nil
  ) {
    self.release = release
    self.buildID = buildID
    self.banner = banner
    self.architecture = architecture
    self.size = size
    self.builtInCommandLine = builtInCommandLine
    self.builtInOverrides = builtInOverrides
    self.bootconfig = bootconfig
    self.artefactCommandLine = artefactCommandLine
    self.configuration = configuration
  }

  enum CodingKeys: String, CodingKey {
    case release
    case buildID = "build_id"
    case banner, architecture, size
    case builtInCommandLine = "built_in_command_line"
    case builtInOverrides = "built_in_command_line_overrides"
    case bootconfig
    case artefactCommandLine = "artefact_command_line"
    case configuration
  }
}

/// A bit of a hypervisor that the build listens to.
public struct ListenedBit: Sendable, Hashable, Codable {
  public enum Source: String, Sendable, Hashable, Codable, CaseIterable { case cpuid, msr }
  public enum Meaning: String, Sendable, Hashable, Codable, CaseIterable {
    case shortAdequate = "short-adequate"
    case longRequired = "long-required"
  }

  /// The register of a CPUID answer.
  public enum Register: String, Sendable, Hashable, Codable, CaseIterable {
    case eax, ebx, ecx, edx
  }

  public var source: Source
  /// The CPUID leaf; null for a model-specific register.
  @OrNull public var leaf: Hex32?
  /// The index of a model-specific register; null for CPUID.
  @OrNull public var index: Hex32?
  @OrNull public var register: Register?
  public var bit: Int
  @OrNull public var meaning: Meaning?
  /// The id of the contract that defines the bit; null if none does.
  @OrNull public var contract: String?
  /// The function of the kernel that reads it.
  @OrNull public var readAt: String?

  public init(
    source: Source, leaf: UInt32? = nil, index: UInt32? = nil, register: Register? = nil,
    bit: Int,
    meaning: Meaning?, contract: String?, readAt: String?
  ) {
    self.source = source
    self.leaf = leaf.map(Hex32.init)
    self.index = index.map(Hex32.init)
    self.register = register
    self.bit = bit
    self.meaning = meaning
    self.contract = contract
    self.readAt = readAt
  }

  enum CodingKeys: String, CodingKey {
    case source, leaf, index, register, bit, meaning, contract
    case readAt = "read_at"
  }
}

/// Everything said about one image.
public struct ImageReport: Sendable, Hashable, Codable {
  /// Where the symbols of an image were found.
  public enum SymbolSource: String, Sendable, Hashable, Codable, CaseIterable {
    case symtab = ".symtab"
    case kallsyms
    case ksymtab = "__ksymtab"
    case systemMap = "System.map"
    case none
  }

  /// The argument as typed.
  public var path: String
  @OrNull public var error: ImageFailure?
  @OrNull public var sha256: String?
  @OrNull public var kernel: KernelIdentity?
  @OrNull public var symbolsFrom: SymbolSource?
  /// What was noticed while symbols, layouts and tables were read.
  public var notes: [String]
  public var stubs: [Substitution]
  @OrNull public var sequence: ClearingSequence?
  public var sites: [Site]
  /// Entry points of a shape this kernel has that have no site.
  public var missingSites: [EntryPoint]
  /// Entry points whose sites are in files that were not given.
  public var unknownSites: [EntryPoint]
  /// The bits that mean something by a contract, or might; null if nobody looked for them.
  @OrNull public var bits: [ListenedBit]?
  /// Other bits of a hypervisor that the choice depends on; null if nobody looked for them.
  @OrNull public var otherInfluences: [ListenedBit]?
  public var paths: [JudgedPath]
  public var findings: [Finding]
  /// What its KVM can promise; null if nobody asked it.
  @OrNull public var host: HostReport?

  public init(path: String) {
    self.path = path
    notes = []
    stubs = []
    sites = []
    missingSites = []
    unknownSites = []
    paths = []
    findings = []
  }

  enum CodingKeys: String, CodingKey {
    case path, error, sha256, kernel
    case symbolsFrom = "symbols_from"
    case notes, stubs, sequence, sites
    case missingSites = "missing_sites"
    case unknownSites = "unknown_sites"
    case bits
    case otherInfluences = "other_influences"
    case paths, findings, host
  }
}
