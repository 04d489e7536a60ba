/// What a boot path of a right build gives, as far as a test can look.
public struct ExpectedOutcome: Sendable, Hashable, Codable {
  /// What is to happen at an entry point.
  public struct Entry: Sendable, Hashable, Codable {
    @OrNull public var mechanism: Mechanism?
    @OrNull public var sequence: SelectedSequence?

    public init(mechanism: Mechanism?, sequence: SelectedSequence?) {
      self.mechanism = mechanism
      self.sequence = sequence
    }
  }

  /// The line of `vulnerabilities/spectre_v2`.
  @OrNull public var sysfs: String?
  public var entryPoints: [EntryPoint: Entry]
  /// Iterations of the loops of the sequence that would run: outer and inner.
  @OrNull public var outer: Int?
  @OrNull public var inner: Int?
  /// The features that sites hang on, as far as they are set.
  public var features: [FeatureReference]
  /// Whether the kernel takes the processor for affected.
  @OrNull public var affected: Bool?
  /// The last value written to SPEC_CTRL.
  @OrNull public var specCtrl: Address?
  /// The kernel's log lines about this mitigation.
  public var log: [String]

  public init(
    sysfs: String?, entryPoints: [EntryPoint: Entry], outer: Int?, inner: Int?,
    features: [FeatureReference], affected: Bool?, specCtrl: Address?, log: [String]
  ) {
    self.entryPoints = entryPoints
    self.features = features
    self.log = log
    self.sysfs = sysfs
    self.outer = outer
    self.inner = inner
    self.affected = affected
    self.specCtrl = specCtrl
  }

  private enum CodingKeys: String, CodingKey {
    case sysfs
    case entryPoints = "entry_points"
    case outer, inner, features, affected
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
    if (outer, inner) != (other.outer, other.inner) {
      found.append(
        "counts: \(Self.text(outer, inner)), not \(Self.text(other.outer, other.inner))")
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

  private static func text(_ outer: Int?, _ inner: Int?) -> String {
    guard let outer, let inner else { return "unknown" }
    return "\(outer)x\(inner)"
  }

  private static func text(_ features: [FeatureReference]) -> String {
    features.isEmpty ? "none" : features.map(\.description).joined(separator: ", ")
  }
}
