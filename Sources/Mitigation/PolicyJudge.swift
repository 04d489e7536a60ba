extension Policy {
  /// `outcome` with what this policy requires at `entryPoint` and how what runs there compares.
  ///
  /// Where no row holds, nothing is known to suffice: the verdict is undetermined.
  public func judged(
    _ outcome: EntryPointOutcome, at entryPoint: EntryPoint, _ facts: PathFacts
  ) -> EntryPointOutcome {
    var judged = outcome
    let row = row(for: facts, at: entryPoint, outcome)
    judged.required = row?.requires
    judged.verdict = row?.verdict(on: outcome) ?? .undetermined
    // Less than a row asks for is wrong only where it is known that BHI matters.
    if judged.verdict == .inadequate, facts.affected == nil { judged.verdict = .undetermined }
    return judged
  }

  /// `path` with requirements and verdicts.
  ///
  /// Where the outcome could not be determined, nor is any verdict.
  public func judged(_ path: JudgedPath, _ facts: PathFacts) -> JudgedPath {
    var judged = path
    for (entryPoint, outcome) in path.entryPoints {
      judged.entryPoints[entryPoint] = self.judged(outcome, at: entryPoint, facts)
      if path.outcome.undeterminedBecause != nil {
        judged.entryPoints[entryPoint]?.verdict = .undetermined
      }
    }
    judged.verdict = verdict(on: judged, facts)
    return judged
  }

  private func verdict(on path: JudgedPath, _ facts: PathFacts) -> Verdict {
    if path.outcome.undeterminedBecause != nil { return .undetermined }
    if path.entryPoints.isEmpty {
      // An image whose entry points are not known may still be one that needs nothing.
      let unknown = EntryPointOutcome(mechanism: nil, sequence: nil)
      return judged(unknown, at: .syscall64, facts).verdict ?? .undetermined
    }
    return Verdict.worst(of: path.entryPoints.values.map { $0.verdict ?? .undetermined })
  }

  /// The first row that holds; nil if none does.
  public func row(
    for facts: PathFacts, at entryPoint: EntryPoint, _ outcome: EntryPointOutcome
  ) -> Row? {
    rows.first { $0.when.holds(for: facts, at: entryPoint, outcome: outcome) }
  }
}

extension Policy.Row {
  /// How `outcome` compares with what the row requires.
  func verdict(on outcome: EntryPointOutcome) -> Verdict {
    if isUnproven { return .undetermined }
    switch requires {
    case .optedOut, .hardware, .retpoline: return .adequate
    case .nothing: return outcome.sequence == .long ? .excessive : .adequate
    case .shortOrLong, .long: break
    }
    guard outcome.mechanism != nil, let sequence = outcome.sequence else { return .undetermined }
    if accepts.contains(where: { $0.matches(outcome) }) { return .adequate }
    return switch (requires, sequence) {
    case (.shortOrLong, .short), (.long, .long): .adequate
    case (.shortOrLong, .long): .excessive
    default: .inadequate
    }
  }
}

extension Verdict {
  /// From the worst on.
  public static let fromWorst: [Verdict] = [.inadequate, .undetermined, .excessive, .adequate]

  /// The worst of several; undetermined if there is none.
  public static func worst(of verdicts: some Swift.Sequence<Verdict>) -> Verdict {
    let found = Set(verdicts)
    return fromWorst.first(where: found.contains) ?? .undetermined
  }
}
