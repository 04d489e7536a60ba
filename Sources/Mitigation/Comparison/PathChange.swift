/// What an image selects on a boot path, as far as a comparison looks at it.
public struct PathState: Sendable, Hashable, Codable {
  @OrNull public var verdict: Verdict?
  /// The line of /sys/devices/system/cpu/vulnerabilities/spectre_v2.
  @OrNull public var sysfs: String?
  @OrNull public var undeterminedBecause: String?
  public var entryPoints: [EntryPoint: EntryPointOutcome]

  init(_ path: JudgedPath) {
    verdict = path.verdict
    sysfs = path.outcome.sysfs
    undeterminedBecause = path.outcome.undeterminedBecause
    entryPoints = path.entryPoints
  }

  enum CodingKeys: String, CodingKey {
    case verdict, sysfs
    case undeterminedBecause = "undetermined_because"
    case entryPoints = "entry_points"
  }
}

/// A boot path on which two images differ.
public struct PathChange: Sendable, Hashable, Codable {
  public var id: String
  public var cpu: String
  public var environment: String
  public var statement: Statement
  public var commandLineName: String
  /// Worse if the path or any of its entry points is; else better if any of these is.
  public var change: Change
  public var before: PathState
  public var after: PathState
  /// The entry points that changed.
  public var entryPoints: [EntryPoint: Change]

  /// Compares what two images do on the same path; nil if it is the same.
  ///
  /// The words for why a path is undetermined, and what a policy asks for where that makes no
  /// difference to the verdict, do not count.
  init?(from before: JudgedPath, to after: JudgedPath) {
    id = after.path.id
    cpu = after.path.cpu
    environment = after.path.environment
    statement = after.path.statement
    commandLineName = after.path.commandLineName
    self.before = PathState(before)
    self.after = PathState(after)
    entryPoints = [:]
    for point in Set(before.entryPoints.keys).union(after.entryPoints.keys) {
      let (old, new) = (before.entryPoints[point], after.entryPoints[point])
      guard
        old?.mechanism != new?.mechanism || old?.sequence != new?.sequence
          || old?.verdict != new?.verdict || (old == nil) != (new == nil)
      else { continue }
      entryPoints[point] = Standing(old).change(to: Standing(new))
    }
    guard
      !entryPoints.isEmpty || before.verdict != after.verdict
        || before.outcome.sysfs != after.outcome.sysfs
        || before.isUndetermined != after.isUndetermined
    else { return nil }
    let changes = [Standing(before).change(to: Standing(after))] + entryPoints.values
    change =
      changes.contains(.worse) ? .worse : changes.contains(.better) ? .better : .different
  }

  /// Whether the path was determined before and is no more.
  public var becameUndetermined: Bool {
    before.isUndetermined == false && after.isUndetermined
  }

  enum CodingKeys: String, CodingKey {
    case id, cpu, environment, statement
    case commandLineName = "command_line_name"
    case change, before, after
    case entryPoints = "changed_entry_points"
  }
}

extension PathState {
  /// Whether what the kernel chose, or whether it suffices, is unknown.
  public var isUndetermined: Bool {
    verdict == .undetermined || undeterminedBecause != nil
      || entryPoints.values.contains { $0.verdict == .undetermined }
  }
}

/// How good an outcome is known to be.
private enum Standing: Equatable {
  case inadequate, undetermined
  /// Adequate or excessive: what it costs is not what it is worth.
  case sufficient
  /// An outcome that no policy judged, or an entry point that is not there.
  case unjudged

  init(_ verdict: Verdict?) {
    self =
      switch verdict {
      case .inadequate: .inadequate
      case .undetermined: .undetermined
      case .adequate, .excessive: .sufficient
      case nil: .unjudged
      }
  }

  init(_ outcome: EntryPointOutcome?) { self.init(outcome?.verdict) }

  init(_ path: JudgedPath) {
    self.init(path.verdict ?? (path.isUndetermined ? .undetermined : nil))
  }

  private var rank: Int? {
    switch self {
    case .inadequate: 0
    case .undetermined: 1
    case .sufficient: 2
    case .unjudged: nil
    }
  }

  func change(to after: Standing) -> Change {
    switch (self, after) {
    case (.unjudged, .undetermined): return .worse
    case (.undetermined, .unjudged): return .better
    default:
      guard let old = rank, let new = after.rank, old != new else { return .different }
      return new < old ? .worse : .better
    }
  }
}
