/// A way into the kernel, or out of it, on which a sequence has to run.
public enum EntryPoint: String, Sendable, Hashable, Codable, CaseIterable, CodingKeyRepresentable,
  Comparable
{
  /// The 64-bit SYSCALL instruction.
  case syscall64
  /// SYSENTER from 32-bit code.
  case sysenterCompat = "sysenter-compat"
  /// SYSCALL from 32-bit code (AMD).
  case syscallCompat = "syscall-compat"
  /// `int $0x80`.
  case int80
  /// Any entry from user space with FRED.
  case fredUser = "fred-user"
  /// A VM exit, into the host.
  case vmexit
  /// The way back to user space after a guest ran (VMSCAPE).
  case exitToUser = "exit-to-user"
  /// Classic BPF programs of unprivileged users, which the JIT compiles.
  case bpf

  public static func < (left: EntryPoint, right: EntryPoint) -> Bool {
    left.order < right.order
  }

  private var order: Int { Self.allCases.firstIndex(of: self) ?? 0 }

  /// The attack vector an entry point belongs to, as the kernel's `mitigations=` switches name it.
  public var vector: AttackVector {
    switch self {
    case .vmexit, .exitToUser: .guestToHost
    default: .userToKernel
    }
  }

  /// Whether code runs in the kernel after it, so that BHI_DIS_S protects it.
  public var entersKernel: Bool { self != .exitToUser }
}

/// The attack vectors that `mitigations=` can switch off one by one.
public enum AttackVector: String, Sendable, Hashable, Codable, CaseIterable {
  case userToKernel = "user-to-kernel"
  case guestToHost = "guest-to-host"
}

/// The number of a synthetic CPU feature of the kernel, and its name where one is known.
public struct FeatureReference: Sendable, Hashable, Codable, CustomStringConvertible {
  public var number: Int
  /// The name without `X86_FEATURE_`.
  @OrNull public var name: String?

  public init(number: Int, name: String?) {
    self.number = number
    self.name = name
  }

  /// As the kernel's headers write it: word*32 + bit.
  public var position: String { "\(number / 32)*32+\(number % 32)" }

  public var description: String { name.map { "\($0) (\(position))" } ?? position }
}

/// A place that runs the sequence.
public struct Site: Sendable, Hashable, Codable {
  public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
    /// An alternatives entry whose replacement runs the sequence.
    case alternative
    /// An alternatives entry inside the sequence, which exchanges its counts.
    case inside
    /// A call in the code itself.
    case direct
    /// A static call that boot code directs at the sequence.
    case staticCall = "static-call"
    /// A reference of the BPF JIT, which emits a call.
    case jit
  }

  @OrNull public var entryPoint: EntryPoint?
  public var kind: Kind
  /// The file the site is in: `vmlinux` or a module's name.
  public var image: String
  /// The address in vmlinux, or the offset in the module's section.
  public var address: Address
  /// The nearest symbol with the offset from it.
  @OrNull public var symbol: String?
  @OrNull public var section: String?
  @OrNull public var feature: FeatureReference?
  /// Whether the replacement is taken when the feature is *not* there (ALT_FLAG_NOT).
  public var negated: Bool
  @OrNull public var original: HexBytes?
  @OrNull public var replacement: HexBytes?
  @OrNull public var originalText: String?
  @OrNull public var replacementText: String?
  /// The function of the sequence that it runs.
  @OrNull public var target: String?
  /// Whether the replacement itself reaches a speculation barrier after the sequence.
  @OrNull public var barrier: Bool?

  public init(
    entryPoint: EntryPoint?, kind: Kind, image: String, address: Address, symbol: String?,
    section: String?, feature: FeatureReference?, negated: Bool = false, original: HexBytes?,
    replacement: HexBytes?, originalText: String? = nil, replacementText: String? = nil,
    target: String?, barrier: Bool? = nil
  ) {
    self.entryPoint = entryPoint
    self.kind = kind
    self.image = image
    self.address = address
    self.symbol = symbol
    self.section = section
    self.feature = feature
    self.negated = negated
    self.original = original
    self.replacement = replacement
    self.originalText = originalText
    self.replacementText = replacementText
    self.target = target
    self.barrier = barrier
  }

  enum CodingKeys: String, CodingKey {
    case entryPoint = "entry_point"
    case kind, image, address, symbol, section, feature, negated, original, replacement
    case originalText = "original_text"
    case replacementText = "replacement_text"
    case target, barrier
  }
}
