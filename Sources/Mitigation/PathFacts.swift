/// What a policy needs to know of a boot path: the truth as far as it is known, not what the image
/// takes for true.
public struct PathFacts: Sendable, Hashable {
  /// What is known of RRSBA: whether the processor predicts returns by its branch target buffer,
  /// which makes retpolines worthless.
  public enum RRSBA: String, Sendable, Hashable, Codable, CaseIterable {
    /// IA32_ARCH_CAPABILITIES does not show it (bit 19).
    case notSeen = "not-seen"
    /// It is shown, and the kernel set RRSBA_DIS_S in SPEC_CTRL (bit 6).
    case disabled
    /// It is shown and was left on.
    case active
  }

  /// Whether BHI affects the processor, by the statement that `affectedSource` names; nil if nobody
  /// says so. Never the image's own word.
  public var affected: Bool?
  public var affectedSource: String?
  /// Whether its core is on the list of those known to be older than Alder Lake.
  public var beforeAlderLake = false
  /// Whether the kernel runs under a hypervisor.
  public var isGuest = false
  /// Whether the HYPERVISOR bit tells it so.
  public var knowsItIsGuest = false
  /// Whether it is a TDX or SEV-SNP guest, which does not trust its hypervisor.
  public var isConfidential = false
  public var statement = Statement.silent
  /// CPUID.(7,2):EDX[4].
  public var showsBHIControl = false
  public var rrsba = RRSBA.notSeen
  /// Whether the kernel set BHI_DIS_S in SPEC_CTRL.
  public var hasHardwareControl = false
  /// Whether a guest can be a hypervisor itself: CPUID shows it VMX or SVM.
  public var isNestedHypervisor = false
  /// The attack vectors that the user's command line switches off; never those that only a line of
  /// the build's does.
  public var switchedOff: Set<AttackVector> = []
  /// Those that it switches off in kernels of some age; whether in this one shows in the outcome.
  public var maybeSwitchedOff: Set<AttackVector> = []
  /// Whether the user's command line speaks of this mitigation at all.
  public var userSpeaksOfIt = false

  public init() {}

  /// Whether the user switched off `vector`, to which an entry point with `outcome` belongs.
  public func isSwitchedOff(_ vector: AttackVector, _ outcome: EntryPointOutcome) -> Bool {
    switchedOff.contains(vector) || outcome.mechanism == .off && maybeSwitchedOff.contains(vector)
  }

  /// Whether it is a guest as far as it can know: what it is judged by.
  public var isKnownGuest: Bool { isGuest && knowsItIsGuest }

  /// Whether it is a guest that takes itself for bare metal.
  public var isUnawareGuest: Bool { isGuest && !knowsItIsGuest }
}
