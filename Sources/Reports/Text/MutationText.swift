public import Mitigation

/// What became of mutants, for people.
public struct MutationText: Sendable {
  public init() {}

  public func render(_ report: MutationReport) -> String {
    var lines: [String] = [title(report)]
    if report.isScored {
      lines += [""] + score(report)
      lines += survivors(report)
      lines += paths(report)
    } else {
      lines += [""] + report.mutants.flatMap { describe($0.mutant) }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private func title(_ report: MutationReport) -> String {
    let name = report.kernel.map { "\(report.image) (\($0))" } ?? report.image
    let taken =
      report.mutants.count == report.possible
      ? "\(report.possible) mutants"
      : "\(report.mutants.count) of \(report.possible) mutants (--limit 0 takes all)"
    guard report.isScored else { return "\(name): \(taken)" }
    let contract = report.contract.map { ", contract \($0)" } ?? ""
    return "\(name): \(taken), \(report.paths) boot paths\(contract)"
  }

  private func score(_ report: MutationReport) -> [String] {
    let explained = report.mutants.count { $0.status == .survived && $0.reason != nil }
    var lines = [
      "Score  " + (report.score.map { percent($0) } ?? "nothing to notice"),
      "  killed    \(report.count(.killed))  another outcome on some path",
      "  broken    \(report.count(.broken))  no outcome any more on some path",
      "  survived  \(report.unexplained.count)  without a reason",
      "            \(explained)  with a reason: " + reasons(report),
    ]
    if !report.undeterminedPaths.isEmpty {
      lines.append("  \(report.undeterminedPaths.count) undetermined boot paths were left out")
    }
    lines += ["", "Killed, by kind of change"]
    for kind in Mutant.Operator.allCases {
      let all = report.mutants.filter { $0.mutant.operator == kind }
      guard !all.isEmpty else { continue }
      let noticed = all.count(where: \.isNoticed)
      let can = noticed + all.count(where: \.isUnexplained)
      lines.append(
        "  \(kind.rawValue.padded(to: 20))\(noticed) of \(can)"
          + (can < all.count ? ", \(all.count - can) that cannot be noticed" : ""))
    }
    return lines
  }

  private func reasons(_ report: MutationReport) -> String {
    let found = MutantResult.Reason.allCases.compactMap { reason -> String? in
      let count = report.mutants.count { $0.reason == reason }
      return count == 0 ? nil : "\(count) \(reason.rawValue)"
    }
    return found.isEmpty ? "none" : found.joined(separator: ", ")
  }

  /// Rounded down, so that only all is 100.0.
  private func percent(_ share: Double) -> String {
    let tenths = Int(share * 1000)
    return "\(tenths / 10).\(tenths % 10) %"
  }

  private func survivors(_ report: MutationReport) -> [String] {
    var lines: [String] = []
    if !report.unexplained.isEmpty {
      lines += ["", "Survived without a reason"]
      for result in report.unexplained {
        lines += describe(result.mutant)
        if let detail = result.detail { lines.append("    changes  \(detail)") }
      }
    }
    let explained = report.mutants.filter { $0.status == .survived && $0.reason != nil }
    if !explained.isEmpty {
      lines += ["", "Survived with a reason"]
      for result in explained {
        lines += describe(result.mutant)
        let why = result.reason.map(words) ?? ""
        lines.append("    reason   \(why)" + (result.detail.map { ": \($0)" } ?? ""))
      }
    }
    return lines
  }

  private func words(_ reason: MutantResult.Reason) -> String {
    switch reason {
    case .notReached: "no boot path of the matrix runs it"
    case .sameState: "every boot path ends in the same state"
    case .elsewhere: "on every boot path it changes only what the choice is not read from"
    }
  }

  private func describe(_ mutant: Mutant) -> [String] {
    [
      "  \(mutant.id)  \(mutant.symbol ?? "")", "    \(mutant.breaks)",
      "    before   \(mutant.originalText)", "    after    \(mutant.changedText)",
    ]
  }

  private func paths(_ report: MutationReport) -> [String] {
    guard !report.smallestPathSet.isEmpty else { return [] }
    return ["", "Smallest set of boot paths that notices all of them"]
      + report.smallestPathSet.map { "  \(String($0.adds).padded(to: 6))\($0.path)" }
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(1, width - count))
  }
}
