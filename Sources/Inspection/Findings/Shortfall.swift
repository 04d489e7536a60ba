import Mitigation

/// An entry point of a boot path at which less runs than the policy requires.
struct Shortfall {
  /// Why it is so, as far as the image shows.
  enum Cause: Hashable {
    /// The image has no sequence at all.
    case noSequence
    /// It has only short ones.
    case noLongSequence
    /// What it runs are too few rounds.
    case deficient
    /// The entry point has no site.
    case noSite
    /// Its long sequence runs nowhere.
    case longNeverRuns
    /// It takes the CPU for not affected.
    case takenForUnaffected
    /// It is off, and no command line asked for that.
    case offByBuild
    /// The kernel chose so.
    case choice

    /// The rule that this is the business of; nil if the shortfall itself is all that is known.
    var rule: RuleID? {
      switch self {
      case .noSequence: .noSequence
      case .noLongSequence: .noLongSequence
      case .deficient: .deficientCounts
      case .noSite: .missingSite
      case .longNeverRuns: .longNeverRuns
      case .takenForUnaffected: .wronglyNotAffected
      case .offByBuild: .offByBuild
      case .choice: nil
      }
    }
  }

  var path: JudgedPath
  var facts: PathFacts
  var entryPoint: EntryPoint
  var outcome: EntryPointOutcome
  var cause: Cause

  /// The rule that names this path for it: each shortfall belongs to exactly one.
  var rule: RuleID {
    switch cause {
    case .takenForUnaffected: return .wronglyNotAffected
    case .offByBuild: return .offByBuild
    // What the image lacks everywhere has a finding without paths; FRED is on here and there.
    case .noSite where entryPoint == .fredUser: return .missingSite
    default: break
    }
    let isSilentGuest = facts.isKnownGuest && facts.statement == .silent
    return isSilentGuest && outcome.sequence == .short ? .silentGuestShort : .belowPolicy
  }

  /// The rules whose findings explain it; empty if it stands for itself.
  var leaders: [RuleID] { cause.rule.map { $0 == rule ? [] : [$0] } ?? [] }

  /// `sequence short instead of long`.
  var words: String {
    let got =
      switch outcome.mechanism {
      case .sequence?:
        "the \(outcome.sequence?.rawValue ?? "unknown") sequence"
          + (outcome.followedByIBHF == true ? " with IBHF" : "")
      case .ibhf?: "IBHF alone"
      case .off?:
        facts.switchedOff.isEmpty
          ? "nothing (switched off)" : "nothing (switched off along with another attack vector)"
      case Mechanism.none?: "nothing"
      case .hardware?: "BHI_DIS_S"
      case .retpoline?: "retpolines"
      case nil: "something unknown"
      }
    let needed = outcome.required == .long ? "the long one" : "the short or the long one"
    return "\(got) instead of \(needed)"
  }
}

/// What an image has, for telling why it falls short.
struct ImageAbilities {
  var hasSequence: Bool
  var hasLongSequence: Bool
  /// Whether any boot path runs the long sequence; true if not all kinds of paths were run.
  var mayRunLong: Bool
  /// The entry points that have a site.
  var entryPointsWithSite: Set<EntryPoint>

  init(_ report: ImageReport, isComplete: Bool) {
    let isAbsent = report.sequence?.shape == .absent
    hasSequence = !isAbsent
    let variants = report.sequence?.variants ?? []
    // A variant without a class may be anything.
    hasLongSequence =
      !isAbsent
      && (variants.isEmpty
        || variants.contains { $0.sequenceClass == .long || $0.sequenceClass == nil })
    mayRunLong =
      !isComplete
      || report.paths.contains { path in path.entryPoints.values.contains { $0.sequence == .long } }
    entryPointsWithSite = Set(
      report.sites.filter { $0.kind != .inside }.compactMap(\.entryPoint))
  }

  func cause(
    of outcome: EntryPointOutcome, at entryPoint: EntryPoint, _ path: JudgedPath,
    _ facts: PathFacts
  ) -> Shortfall.Cause {
    if !hasSequence { return .noSequence }
    if path.isTakenForUnaffected(facts) { return .takenForUnaffected }
    switch outcome.mechanism {
    case .off?: return facts.userSpeaksOfIt ? .choice : .offByBuild
    case Mechanism.none?:
      return entryPointsWithSite.contains(entryPoint) ? .choice : .noSite
    default: break
    }
    if outcome.required == .long, !hasLongSequence, outcome.sequence != .deficient {
      return .noLongSequence
    }
    switch outcome.sequence {
    case .deficient?: return .deficient
    case .short?:
      return mayRunLong ? .choice : .longNeverRuns
    default: return .choice
    }
  }

  /// All shortfalls of a judged path, in the order of the entry points.
  func shortfalls(of path: JudgedPath, _ facts: PathFacts) -> [Shortfall] {
    path.entryPoints.sorted { $0.key < $1.key }.compactMap { entryPoint, outcome in
      guard outcome.verdict == .inadequate else { return nil }
      return Shortfall(
        path: path, facts: facts, entryPoint: entryPoint, outcome: outcome,
        cause: cause(of: outcome, at: entryPoint, path, facts))
    }
  }
}

extension JudgedPath {
  /// Whether the image says of an affected CPU that it is not.
  func isTakenForUnaffected(_ facts: PathFacts) -> Bool {
    facts.affected == true && outcome.evidence.affected == false
  }
}
