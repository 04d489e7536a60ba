/// What a hunk is about.
public enum PatchSubject: String, Sendable, Hashable, Codable, CaseIterable, Comparable {
  /// The body of the clearing sequence.
  case sequence
  /// A place that runs it.
  case site
  /// A synthetic feature or bug bit.
  case feature
  /// A CPUID leaf or bit of a hypervisor.
  case cpuid
  /// A model-specific register.
  case msr
  /// What the kernel chooses, and by what.
  case selection
  /// The line in sysfs.
  case sysfs
  /// An option of the command line.
  case commandLine = "command-line"
  /// What KVM tells user space or its guests.
  case kvm
  /// Documentation and comments.
  case documentation

  public static func < (left: PatchSubject, right: PatchSubject) -> Bool {
    left.order < right.order
  }

  private var order: Int { Self.allCases.firstIndex(of: self) ?? 0 }

  /// Whether a boot of the patched kernel can show it.
  public var isObservable: Bool {
    switch self {
    case .kvm, .documentation: false
    default: true
    }
  }
}
