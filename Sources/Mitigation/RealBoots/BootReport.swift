/// One comparison between a real boot and what was expected of it.
public struct BootCheck: Sendable, Hashable, Codable {
  public var name: String
  public var passed: Bool
  public var expected: String
  public var found: String

  public init(name: String, passed: Bool, expected: String, found: String) {
    self.name = name
    self.passed = passed
    self.expected = expected
    self.found = found
  }

  /// A comparison of two texts.
  public init(_ name: String, expected: String, found: String) {
    self.init(name: name, passed: expected == found, expected: expected, found: found)
  }
}

/// A boot path with what a real boot of it showed.
public struct BootedPath: Sendable, Hashable, Codable {
  public enum Status: String, Sendable, Hashable, Codable, CaseIterable {
    /// Everything is as the decision table says.
    case agrees
    /// Something is otherwise.
    case differs
    /// The boot did not come to its end.
    case failed
    /// QEMU cannot show this path.
    case skipped
  }

  public var path: BootPath
  public var status: Status
  /// Why it failed or was skipped.
  @OrNull public var reason: String?
  public var checks: [BootCheck]
  @OrNull public var sysfs: String?
  /// The lines that a KUnit suite of this tool printed.
  public var suite: [String]

  public init(
    path: BootPath, status: Status, reason: String? = nil, checks: [BootCheck] = [],
    sysfs: String? = nil, suite: [String] = []
  ) {
    self.path = path
    self.status = status
    self.checks = checks
    self.suite = suite
    self.reason = reason
    self.sysfs = sysfs
  }

  private enum CodingKeys: String, CodingKey {
    case id, path, status, reason, checks, sysfs, suite
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    path = try container.decode(BootPath.self, forKey: .path)
    status = try container.decode(Status.self, forKey: .status)
    _reason = try container.decode(OrNull<String>.self, forKey: .reason)
    checks = try container.decode([BootCheck].self, forKey: .checks)
    _sysfs = try container.decode(OrNull<String>.self, forKey: .sysfs)
    suite = try container.decode([String].self, forKey: .suite)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(path.id, forKey: .id)
    try container.encode(path, forKey: .path)
    try container.encode(status, forKey: .status)
    try container.encode(_reason, forKey: .reason)
    try container.encode(checks, forKey: .checks)
    try container.encode(_sysfs, forKey: .sysfs)
    try container.encode(suite, forKey: .suite)
  }
}

/// Real boots of one image, held against its decision table.
public struct BootReport: Sendable, Hashable, Codable {
  public static let currentFormatVersion = 1

  public var formatVersion = BootReport.currentFormatVersion
  public var tool: Report.Tool
  /// As it was given.
  public var image: String
  @OrNull public var kernel: String?
  public var tier: BootTier
  public var boots: [BootedPath]

  public init(
    tool: Report.Tool, image: String, kernel: String?, tier: BootTier, boots: [BootedPath]
  ) {
    self.tool = tool
    self.image = image
    self.tier = tier
    self.boots = boots
    self.kernel = kernel
  }

  private enum CodingKeys: String, CodingKey {
    case formatVersion = "format_version"
    case tool, image, kernel, tier, boots
  }

  public func count(_ status: BootedPath.Status) -> Int { boots.count { $0.status == status } }

  /// 1 if a boot went another way; else 2 if one did not come to its end; else 0.
  public var exitStatus: Int32 {
    if count(.differs) > 0 { return ExitStatus.findings }
    return count(.failed) > 0 ? ExitStatus.undetermined : ExitStatus.success
  }
}
