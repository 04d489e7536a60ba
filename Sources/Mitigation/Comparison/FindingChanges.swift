/// A finding that both images have.
public struct KeptFinding: Sendable, Hashable, Codable {
  /// As the later image has it.
  public var finding: Finding
  public var severityBefore: Severity
  /// Paths that both images have and on which only the later one has this finding.
  public var newPaths: [String]
  /// Paths on which only the earlier image has it.
  public var gonePaths: [String]
  /// Whether it weighs more now, or rests on a path that was clear of it and of what it replaced.
  public var isWorse: Bool

  enum CodingKeys: String, CodingKey {
    case finding
    case severityBefore = "severity_before"
    case newPaths = "new_paths"
    case gonePaths = "gone_paths"
    case isWorse = "worse"
  }

  /// Whether its severity or its paths changed.
  public var isChanged: Bool {
    finding.severity != severityBefore || !newPaths.isEmpty || !gonePaths.isEmpty
  }
}

/// The findings of two images held against each other.
///
/// Two findings are the same if their rule and what they say is wrong are the same, addresses and
/// numbers of paths aside, or if their rule is the same and they share a boot path: such a finding
/// speaks of its paths, in words that change with them.
public struct FindingChanges: Sendable, Hashable, Codable {
  public var new: [Finding]
  public var gone: [Finding]
  public var kept: [KeptFinding]

  /// - Parameter sharedPaths: the ids of the paths that both images have.
  init(from before: [Finding], to after: [Finding], sharedPaths: Set<String>) {
    var partners = [Int?](repeating: nil, count: after.count)
    var open = Array(before.indices)
    // The words first, in all findings, so that no finding takes another one's equal away.
    for isSame in [Finding.saysTheSame, Finding.sharesAPath] {
      for (index, finding) in after.enumerated() where partners[index] == nil {
        guard let place = open.firstIndex(where: { isSame(finding)(before[$0]) }) else { continue }
        partners[index] = open.remove(at: place)
      }
    }
    new = []
    kept = []
    gone = open.map { before[$0] }
    let lost = Self.lostPaths(from: before, to: after)
    for (finding, partner) in zip(after, partners) {
      if let partner {
        kept.append(
          KeptFinding(from: before[partner], to: finding, shared: sharedPaths, lost: lost))
      } else {
        new.append(finding)
      }
    }
  }

  /// For each path, the highest severity of a rule that it no longer breaks.
  private static func lostPaths(
    from before: [Finding], to after: [Finding]
  ) -> [String: Severity] {
    var held: [RuleID: Set<String>] = [:]
    for finding in after { held[finding.id, default: []].formUnion(finding.paths) }
    var lost: [String: Severity] = [:]
    for finding in before {
      for path in finding.paths where held[finding.id]?.contains(path) != true {
        lost[path] = max(lost[path] ?? finding.severity, finding.severity)
      }
    }
    return lost
  }
}

extension KeptFinding {
  fileprivate init(
    from before: Finding, to after: Finding, shared: Set<String>, lost: [String: Severity]
  ) {
    let (old, new) = (Set(before.paths), Set(after.paths))
    finding = after
    severityBefore = before.severity
    newPaths = after.paths.filter { shared.contains($0) && !old.contains($0) }
    gonePaths = before.paths.filter { shared.contains($0) && !new.contains($0) }
    // A path that breaks one rule in the place of another of its weight is not worse off.
    let isClearPathHit = newPaths.contains { path in
      lost[path].map { $0 < after.severity } ?? true
    }
    isWorse = after.severity > before.severity || isClearPathHit
  }
}

extension Finding {
  fileprivate func saysTheSame(_ other: Finding) -> Bool {
    id == other.id && subject == other.subject
  }

  fileprivate func sharesAPath(_ other: Finding) -> Bool {
    id == other.id && !Set(paths).isDisjoint(with: other.paths)
  }

  /// What its message says is wrong, without what differs from build to build: addresses, offsets
  /// and counted things. Numbers that are part of a word stay: 4x5 rounds, feature 21*32+1, int80.
  public var subject: String {
    message.split(separator: " ").map { word -> String in
      let core = word.drop { $0 == "(" }
      if core.hasPrefix("0x") { return "#" }
      if let offset = word.firstRange(of: "+0x") { return word[..<offset.lowerBound] + "+#" }
      return core.contains(where: \.isNumber) && core.allSatisfy(\.isNumberOrPunctuation)
        ? "#" : String(word)
    }.joined(separator: " ")
  }
}

extension Character {
  fileprivate var isNumberOrPunctuation: Bool { isNumber || isPunctuation && self != "*" }
}
