/// How something changed from one image to another.
public enum Change: String, Sendable, Hashable, Codable, CaseIterable {
  case better, worse
  /// Another outcome of the same worth, or one whose worth nobody judged.
  case different
}

/// What changed between two images: boot paths, joined by their ids, and findings.
public struct Comparison: Sendable, Hashable, Codable {
  /// The paths of both images that differ, in the order of the later image's.
  public var paths: [PathChange]
  /// How many paths are the same in both.
  public var unchangedPaths: Int
  /// The ids of paths that only the earlier image's report has, in its order.
  public var onlyBefore: [String]
  /// The ids of paths that only the later image's report has, in its order.
  public var onlyAfter: [String]
  public var findings: FindingChanges

  /// Compares two images that could both be read.
  public init(from before: ImageReport, to after: ImageReport) {
    let earlier = Dictionary(before.paths.map { ($0.path.id, $0) }) { first, _ in first }
    let later = Set(after.paths.map(\.path.id))
    let shared = after.paths.compactMap { path in earlier[path.path.id].map { ($0, path) } }
    paths = shared.compactMap { PathChange(from: $0, to: $1) }
    unchangedPaths = shared.count - paths.count
    onlyBefore = before.paths.map(\.path.id).filter { !later.contains($0) }
    onlyAfter = after.paths.map(\.path.id).filter { earlier[$0] == nil }
    findings = FindingChanges(
      from: before.findings, to: after.findings, sharedPaths: Set(shared.map { $1.path.id }))
  }

  enum CodingKeys: String, CodingKey {
    case paths
    case unchangedPaths = "unchanged_paths"
    case onlyBefore = "only_before"
    case onlyAfter = "only_after"
    case findings
  }

  /// Whether a boot path got worse, or a finding of at least `severity` is new or weighs more.
  public func isWorse(atLeast severity: Severity = .warning) -> Bool {
    paths.contains { $0.change == .worse }
      || findings.new.contains { $0.severity >= severity }
      || findings.kept.contains { $0.isWorse && $0.finding.severity >= severity }
  }

  /// Whether nothing at all changed.
  public var isEmpty: Bool {
    paths.isEmpty && onlyBefore.isEmpty && onlyAfter.isEmpty && findings.new.isEmpty
      && findings.gone.isEmpty && !findings.kept.contains(where: \.isChanged)
  }
}
