public import Mitigation

/// What an audit keeps of one kernel: one line of its output.
public struct AuditRow: Sendable, Hashable, Codable {
  /// The file as it was named or found; behind `: `, which of its kernels, where it holds several.
  public var path: String
  /// Whether an earlier run had looked at the same content.
  public var isKnown: Bool
  @OrNull public var release: String?
  @OrNull public var buildID: String?
  /// Who built it, by its banner; null if that does not tell.
  @OrNull public var distribution: String?
  /// SHA-256 of the vmlinux.
  @OrNull public var sha256: String?
  /// The best class that the image can select; null if unknown.
  @OrNull public var sequence: SequenceClass?
  public var sites: Int
  /// How many boot paths have each verdict.
  public var verdicts: [String: Int]
  /// The rules that fired, in ascending order.
  public var findings: [RuleID]
  @OrNull public var error: ImageFailure?

  enum CodingKeys: String, CodingKey {
    case path
    case isKnown = "known"
    case release
    case buildID = "build_id"
    case distribution, sha256, sequence, sites, verdicts, findings, error
  }

  /// The row of a report.
  public init(_ report: ImageReport, isKnown: Bool) {
    path = report.path
    self.isKnown = isKnown
    release = report.kernel?.release
    buildID = report.kernel?.buildID
    distribution = report.kernel?.banner.flatMap(Distribution.init(banner:))?.rawValue
    sha256 = report.sha256
    sequence = report.sequence?.variants.compactMap(\.sequenceClass).min { $0.rank < $1.rank }
    if report.sequence?.shape == .absent { sequence = .absent }
    sites = report.sites.count
    verdicts = [:]
    for path in report.paths {
      guard let verdict = path.verdict else { continue }
      verdicts[verdict.rawValue, default: 0] += 1
    }
    findings = Set(report.findings.map(\.id)).sorted()
    error = report.error
  }
}

extension SequenceClass {
  /// The best one has the lowest.
  fileprivate var rank: Int { Self.allCases.firstIndex(of: self) ?? Self.allCases.count }
}

/// Who built a kernel, by what its banner holds (`linux_banner`, init/version.c: the builder's name
/// and the compiler stand there).
public enum Distribution: String, Sendable, CaseIterable {
  case debian, ubuntu, fedora, redHat = "red-hat", suse, arch, amazon, oracle, alpine

  public init?(banner: String) {
    let marks: [(String, Distribution)] = [
      ("debian-kernel@", .debian), ("Debian ", .debian), ("Ubuntu", .ubuntu),
      ("fedoraproject.org", .fedora), ("redhat.com", .redHat), ("suse", .suse),
      ("@archlinux", .arch), ("amzn", .amazon), ("oracle.com", .oracle), ("Alpine", .alpine),
    ]
    // Ubuntu's compilers call themselves Ubuntu and Debian's Debian, so the order matters little.
    guard let found = marks.first(where: { banner.contains($0.0) }) else { return nil }
    self = found.1
  }
}
