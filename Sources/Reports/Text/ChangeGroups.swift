import Mitigation

/// Changed paths with those taken together that changed in the same way: first over CPUs, then over
/// environments, command lines and statements, as long as a row stands for every combination of
/// what it names.
struct ChangeGroups {
  struct Row {
    var paths: [PathChange]

    /// The change that all paths of the row share.
    var example: PathChange { paths[0] }

    /// What the row's paths are, by one of their names; the first few of many.
    func names(of name: (PathChange) -> String) -> String {
      abridged(distinct(paths.map(name)), limit: 3)
    }
  }

  /// The worst first; else in the order of the paths.
  let rows: [Row]

  init(_ paths: [PathChange]) {
    var rows = paths.map { Row(paths: [$0]) }
    for dimension in Self.dimensions {
      rows = Self.merge(rows, sharing: Self.dimensions.filter { $0 != dimension })
    }
    self.rows = [Change.worse, .different, .better].flatMap { change in
      rows.filter { $0.example.change == change }
    }
  }

  private static let dimensions: [KeyPath<PathChange, String> & Sendable] = [
    \.cpu, \.environment, \.commandLineName, \.statement.rawValue,
  ]

  private struct Key: Hashable {
    var change: PathChange
    var names: [[String]]
  }

  private static func merge(
    _ rows: [Row], sharing dimensions: [KeyPath<PathChange, String>]
  ) -> [Row] {
    var merged: [Row] = []
    var places: [Key: Int] = [:]
    for row in rows {
      let key = Key(
        change: row.example.anonymous,
        names: dimensions.map { dimension in distinct(row.paths.map { $0[keyPath: dimension] }) })
      if let place = places[key] {
        merged[place].paths += row.paths
      } else {
        places[key] = merged.count
        merged.append(row)
      }
    }
    return merged
  }
}

extension PathChange {
  /// What changed, without on which path.
  fileprivate var anonymous: PathChange {
    var copy = self
    (copy.id, copy.cpu, copy.environment, copy.commandLineName) = ("", "", "", "")
    copy.statement = .silent
    return copy
  }
}
