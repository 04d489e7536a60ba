import Mitigation

extension Page {
  /// What leads, the worst first, each with what follows from it in a line.
  mutating func findings(_ findings: [Finding]) {
    heading("Findings", findings.isEmpty ? "none" : "")
    for group in FindingGroup.groups(of: findings) {
      head(group.leader)
      paragraph(group.leader.message, indent: 4)
      var rows: [(String, Cell)] = []
      if !group.leader.paths.isEmpty {
        rows.append(("paths", Cell(abridged(group.leader.paths, limit: 3))))
      }
      if !group.leader.locations.isEmpty {
        rows.append(("places", Cell(abridged(group.leader.locations.map(\.place), limit: 5))))
      }
      rows.append(("advice", Cell(group.leader.advice)))
      facts(rows, indent: 4)
      for follower in group.followers {
        let others = follower.followsFrom.filter { $0 != group.leader.id }.map(\.description)
        let also = others.isEmpty ? "" : ", and from \(enumerated(others))"
        line(
          Cell("    "),
          Cell("\(follower.severity.rawValue) \(follower.id)", follower.severity.style),
          Cell(" follows\(also):"))
        paragraph(follower.message, indent: 6)
      }
    }
  }

  private mutating func head(_ finding: Finding) {
    line(Cell("  "), Cell("\(finding.severity.rawValue) \(finding.id)", finding.severity.style))
  }
}

/// A finding that leads, with those that follow from it.
struct FindingGroup {
  var leader: Finding
  var followers: [Finding]

  /// The groups, the most severe leader first and then by id; a follower stands once, under the
  /// first of its leaders. One whose leader is not there leads.
  static func groups(of findings: [Finding]) -> [FindingGroup] {
    let ids = Set(findings.map(\.id))
    let leads = findings.map { $0.followsFrom.allSatisfy { !ids.contains($0) } }
    var groups = zip(findings, leads).filter(\.1)
      .map { FindingGroup(leader: $0.0, followers: []) }
      .sorted { ($1.leader.severity, $0.leader.id) < ($0.leader.severity, $1.leader.id) }
    for (finding, leads) in zip(findings, leads) where !leads {
      let index =
        groups.firstIndex { finding.followsFrom.contains($0.leader.id) }
        ?? groups.firstIndex { group in
          group.followers.contains { finding.followsFrom.contains($0.id) }
        }
      if let index {
        groups[index].followers.append(finding)
      } else {
        groups.append(FindingGroup(leader: finding, followers: []))
      }
    }
    return groups
  }
}
