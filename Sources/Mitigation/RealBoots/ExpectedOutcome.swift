/// What a boot path of a right build gives, as far as a test can look.
public struct ExpectedOutcome: Sendable, Hashable, Codable {
  /// What is to happen at an entry point.
  public struct Entry: Sendable, Hashable, Codable {
    @OrNull public var mechanism: Mechanism?
    @OrNull public var sequence: SelectedSequence?
    /// Whether IBHF follows the sequence; null where that is no question.
    @OrNull public var followedByIBHF: Bool?

    public init(_ outcome: EntryPointOutcome) {
      mechanism = outcome.mechanism
      sequence = outcome.sequence
      followedByIBHF = outcome.followedByIBHF
    }

    private enum CodingKeys: String, CodingKey {
      case mechanism, sequence
      case followedByIBHF = "followed_by_ibhf"
    }
  }

  /// The sequence as something runs it.
  public struct Run: Sendable, Hashable, Codable {
    @OrNull public var outer: Int?
    @OrNull public var inner: Int?
    @OrNull public var barrier: Bool?
    @OrNull public var branches: BranchCounts?

    public init(_ variant: SequenceVariant) {
      outer = variant.outer
      inner = variant.inner
      barrier = variant.barrier
      branches = variant.branches
    }
  }

  /// The line of `vulnerabilities/spectre_v2`.
  @OrNull public var sysfs: String?
  public var entryPoints: [EntryPoint: Entry]
  /// The sequence as it stands after this boot, whether or not anything runs it; null if there is
  /// none.
  @OrNull public var sequence: Run?
  /// The same as each site runs it, null for those that do not, in the order of the sites.
  public var sites: [Run?]
  /// The features that sites hang on, as far as they are set.
  public var features: [FeatureReference]
  /// Whether the kernel takes the processor for affected.
  @OrNull public var affected: Bool?
  /// The last value written to SPEC_CTRL.
  @OrNull public var specCtrl: Address?
  /// The kernel's log lines about this mitigation.
  public var log: [String]

  public init(
    sysfs: String?, entryPoints: [EntryPoint: Entry], sequence: Run?, sites: [Run?],
    features: [FeatureReference], affected: Bool?, specCtrl: Address?, log: [String]
  ) {
    self.entryPoints = entryPoints
    self.features = features
    self.log = log
    self.sysfs = sysfs
    self.sequence = sequence
    self.sites = sites
    self.affected = affected
    self.specCtrl = specCtrl
  }

  private enum CodingKeys: String, CodingKey {
    case sysfs
    case entryPoints = "entry_points"
    case sequence, sites, features, affected
    case specCtrl = "spec_ctrl"
    case log
  }

  /// In what it differs from another, in words for people; empty if in nothing.
  public func differences(from other: ExpectedOutcome) -> [String] {
    var found: [String] = []
    if sysfs != other.sysfs {
      found.append("sysfs: \(sysfs ?? "no line"), not \(other.sysfs ?? "no line")")
    }
    for entryPoint in Set(entryPoints.keys).union(other.entryPoints.keys).sorted()
    where entryPoints[entryPoint] != other.entryPoints[entryPoint] {
      found.append(
        "\(entryPoint.rawValue): \(Self.text(entryPoints[entryPoint])), not "
          + Self.text(other.entryPoints[entryPoint]))
    }
    // What stands in the text and is run by nothing makes no difference.
    if runsSequence || other.runsSequence {
      if sequence != other.sequence {
        found.append("sequence: \(Self.text(sequence)), not \(Self.text(other.sequence))")
      } else if sites.compactMap(\.self) != other.sites.compactMap(\.self) {
        found.append("what sites run")
      }
    }
    if features != other.features {
      found.append("features: \(Self.text(features)), not \(Self.text(other.features))")
    }
    if affected != other.affected { found.append("whether the processor is affected") }
    if specCtrl != other.specCtrl {
      found.append(
        "SPEC_CTRL: \(specCtrl?.description ?? "not written"), not "
          + (other.specCtrl?.description ?? "not written"))
    }
    if log != other.log { found.append("the log") }
    return found
  }

  private static func text(_ entry: Entry?) -> String {
    guard let entry else { return "not there" }
    guard entry.mechanism == .sequence else { return entry.mechanism?.rawValue ?? "unknown" }
    return "\(entry.sequence?.rawValue ?? "unknown") sequence"
  }

  /// Whether any entry point runs the sequence.
  public var runsSequence: Bool { entryPoints.values.contains { $0.mechanism == .sequence } }

  private static func text(_ run: Run?) -> String {
    guard let run else { return "none" }
    guard let outer = run.outer, let inner = run.inner else { return "unknown" }
    return "\(outer)x\(inner)" + (run.barrier == false ? " without a barrier" : "")
  }

  private static func text(_ features: [FeatureReference]) -> String {
    features.isEmpty ? "none" : features.map(\.description).joined(separator: ", ")
  }
}
