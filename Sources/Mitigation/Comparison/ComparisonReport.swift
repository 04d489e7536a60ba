/// The document that `bhbcheck diff` writes; docs/diff.schema.json describes it.
public struct ComparisonReport: Sendable, Hashable, Codable {
  public static let currentFormatVersion = 1

  /// One of the two images.
  public struct Side: Sendable, Hashable, Codable {
    /// The argument as typed: an image, or a report of one.
    public var path: String
    @OrNull public var error: ImageFailure?
    @OrNull public var release: String?
    @OrNull public var buildID: String?
    /// The policy that judged its paths; null if none did.
    @OrNull public var policy: String?
    public var contracts: [String]
    /// How many boot paths its report has.
    public var paths: Int

    /// - Parameters:
    ///   - path: the argument as typed, which for a report is not the path of the image in it.
    ///   - report: what `image` is from.
    public init(path: String, image: ImageReport, in report: Report) {
      self.path = path
      error = image.error
      release = image.kernel?.release
      buildID = image.kernel?.buildID
      policy = report.policy
      contracts = report.contracts
      paths = image.paths.count
    }

    enum CodingKeys: String, CodingKey {
      case path, error, release
      case buildID = "build_id"
      case policy, contracts, paths
    }
  }

  public var formatVersion: Int
  public var tool: Report.Tool
  public var before: Side
  public var after: Side
  /// Whether the later image is worse; null if an image could not be read.
  @OrNull public var worse: Bool?
  /// Null if an image could not be read.
  @OrNull public var comparison: Comparison?

  /// - Parameter failOn: the lowest severity of a new finding that makes the later image worse.
  public init(
    tool: Report.Tool, before: Side, after: Side, comparison: Comparison?,
    failOn: Severity = .warning
  ) {
    formatVersion = Self.currentFormatVersion
    self.tool = tool
    self.before = before
    self.after = after
    worse = comparison?.isWorse(atLeast: failOn)
    self.comparison = comparison
  }

  enum CodingKeys: String, CodingKey {
    case formatVersion = "format_version"
    case tool, before, after, worse, comparison
  }
}

extension ExitStatus {
  /// The exit status of a comparison of `before` with `after`.
  public static func of(
    _ report: ComparisonReport, before: ImageReport, after: ImageReport
  ) -> Int32 {
    if report.worse == true { return findings }
    let failures = [before, after].compactMap { $0.error?.code.exitStatus }
    if let worst = failures.max() { return worst }
    return before.hasUndeterminedPath || after.hasUndeterminedPath ? undetermined : success
  }
}
