/// Something that speaks against letting an image pass.
public struct GateReason: Sendable, Hashable, Codable {
  public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
    /// A rule fired; with a baseline, one that did not fire there, or not so badly.
    case finding
    /// A boot path got worse since the baseline.
    case worsePath = "worse-path"
    /// A condition of `--require` does not hold, or nobody knows.
    case condition
    /// Boot paths could not be determined.
    case undetermined
    /// The image, or the baseline, could not be read.
    case input
  }

  public var kind: Kind
  /// Whether it fails the image; else nothing can be said of it.
  public var fails: Bool
  /// The rule of a finding.
  @OrNull public var rule: RuleID?
  /// One sentence.
  public var message: String
  /// The ids of the boot paths it rests on.
  public var paths: [String]

  public init(
    kind: Kind, fails: Bool, rule: RuleID? = nil, message: String, paths: [String] = []
  ) {
    self.kind = kind
    self.fails = fails
    self.rule = rule
    self.message = message
    self.paths = paths
  }
}

/// What a gate says of an image.
public struct GateResult: Sendable, Hashable, Codable {
  /// Null if it cannot be decided.
  @OrNull public var passed: Bool?
  /// The argument of `--baseline`; null without one.
  @OrNull public var baseline: String?
  /// Why it did not pass.
  public var reasons: [GateReason]

  public init(baseline: String? = nil, reasons: [GateReason]) {
    self.passed =
      reasons.contains(where: \.fails) ? false : reasons.isEmpty ? true : nil
    self.baseline = baseline
    self.reasons = reasons
  }
}

extension ExitStatus {
  /// The exit status of a gate on `image`, with what it was held against.
  public static func of(
    _ gate: GateResult, image: ImageReport, baseline: ImageReport? = nil
  ) -> Int32 {
    if gate.reasons.contains(where: \.fails) { return findings }
    let failures = [image.error, baseline?.error].compactMap { $0?.code.exitStatus }
    if let worst = failures.max() { return worst }
    return gate.reasons.isEmpty ? success : undetermined
  }

  /// The same for `git bisect run`: an image of which some paths are undetermined is skipped
  /// unless something else fails it. A baseline that cannot be used ends the bisection, because
  /// no revision is to blame for it.
  public static func ofBisection(
    _ gate: GateResult, image: ImageReport, baseline: ImageReport? = nil
  ) -> Int32 {
    if image.error?.code == .internal || baseline?.error != nil { return bisectAbort }
    if gate.reasons.contains(where: { $0.fails && $0.kind != .undetermined }) { return findings }
    return gate.reasons.isEmpty ? success : bisectSkip
  }
}
