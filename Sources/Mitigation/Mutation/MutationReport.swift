/// What became of a mutant on the boot paths of the right build.
public struct MutantResult: Sendable, Hashable, Codable {
  public enum Status: String, Sendable, Hashable, Codable, CaseIterable {
    /// It was not run.
    case notRun = "not-run"
    /// The outcome differs on a path.
    case killed
    /// On no path is there another outcome, but on some there is none any more.
    case broken
    /// Every path has the outcome of the right build.
    case survived
  }

  /// Why a mutant that survived cannot be noticed.
  public enum Reason: String, Sendable, Hashable, Codable, CaseIterable {
    /// No path runs what it changes.
    case notReached = "not-reached"
    /// It is run, and leaves memory, registers of the processor and log as the right build does.
    case sameState = "same-state"
    /// It leaves other memory or log lines behind, but nothing that the choice is read from: not
    /// the features, not the counts, not what the function behind the sysfs line reads, not an MSR.
    case elsewhere
  }

  /// What shows the difference.
  public enum Difference: String, Sendable, Hashable, Codable, CaseIterable {
    case verdict, mechanism, sequence, barrier, sysfs, features, affected, log
    case specCtrl = "spec-ctrl"
    case undetermined
  }

  public var mutant: Mutant
  public var status: Status
  /// Nil for those that did not survive, and for those that no reason was found for.
  @OrNull public var reason: Reason?
  /// What the reason rests on, for people: what else it changes.
  @OrNull public var detail: String?
  /// The ids of the paths that were seen to show a difference, in the order of the matrix.
  public var killedBy: [String]
  /// How it shows on them.
  public var differences: [Difference]

  public init(
    mutant: Mutant, status: Status, reason: Reason? = nil, detail: String? = nil,
    killedBy: [String] = [], differences: [Difference] = []
  ) {
    self.mutant = mutant
    self.status = status
    self.killedBy = killedBy
    self.differences = differences
    self.reason = reason
    self.detail = detail
  }

  private enum CodingKeys: String, CodingKey {
    case mutant, status, reason, detail
    case killedBy = "killed_by"
    case differences
  }

  /// Whether anybody would notice it.
  public var isNoticed: Bool { status == .killed || status == .broken }

  /// Whether it survived and nothing says why.
  public var isUnexplained: Bool { status == .survived && reason == nil }
}

/// The wrong builds made from one image, and how many of them its boot paths tell from it.
public struct MutationReport: Sendable, Hashable, Codable {
  public static let currentFormatVersion = 1

  public var formatVersion = MutationReport.currentFormatVersion
  public var tool: Report.Tool
  /// As it was given.
  public var image: String
  @OrNull public var kernel: String?
  /// The id of the contract by which hypervisors state something on the boot paths: that of the
  /// image itself, where one was found ("discovered" if no known one has its bits).
  @OrNull public var contract: String?
  /// How many wrong builds the operators make of the image; `mutants` may hold fewer.
  public var possible: Int
  public var mutants: [MutantResult] {
    didSet { score = Self.score(mutants) }
  }
  /// The share of mutants noticed, of those that can be; nil if there are none.
  @OrNull public private(set) var score: Double?
  /// The boot paths that mutants were run on.
  public var paths: Int
  /// Boot paths of the matrix whose outcome is undetermined in the right build, and were left out.
  public var undeterminedPaths: [String]
  /// Whether mutants were run.
  public var isScored: Bool
  /// Whether each mutant was run on every path that runs what it changes. If not, then until one
  /// path killed it, and on those that were the first to kill another one.
  public var runsEveryPath: Bool
  /// The fewest paths found that notice every mutant that any path notices, the most useful first.
  public var smallestPathSet: [ChosenPath]

  /// A path with how many mutants it notices that those before it do not.
  public struct ChosenPath: Sendable, Hashable, Codable {
    public var path: String
    public var adds: Int

    public init(path: String, adds: Int) {
      self.path = path
      self.adds = adds
    }
  }

  public init(
    tool: Report.Tool, image: String, kernel: String?, contract: String?, possible: Int,
    mutants: [MutantResult], paths: Int, undeterminedPaths: [String], isScored: Bool,
    runsEveryPath: Bool, smallestPathSet: [ChosenPath]
  ) {
    self.tool = tool
    self.image = image
    self.possible = possible
    self.mutants = mutants
    self.paths = paths
    self.undeterminedPaths = undeterminedPaths
    self.isScored = isScored
    self.runsEveryPath = runsEveryPath
    self.smallestPathSet = smallestPathSet
    self.kernel = kernel
    self.contract = contract
    score = Self.score(mutants)
  }

  private enum CodingKeys: String, CodingKey {
    case formatVersion = "format_version"
    case tool, image, kernel, contract, possible, mutants, paths, score
    case undeterminedPaths = "undetermined_paths"
    case isScored = "scored"
    case runsEveryPath = "every_path"
    case smallestPathSet = "smallest_path_set"
  }

  public func count(_ status: MutantResult.Status) -> Int {
    mutants.count { $0.status == status }
  }

  /// Survivors that nothing explains.
  public var unexplained: [MutantResult] { mutants.filter(\.isUnexplained) }

  private static func score(_ mutants: [MutantResult]) -> Double? {
    let noticed = mutants.count(where: \.isNoticed)
    let counted = noticed + mutants.count(where: \.isUnexplained)
    return counted == 0 ? nil : Double(noticed) / Double(counted)
  }
}
