/// How much a finding weighs.
public enum Severity: String, Sendable, Hashable, Codable, CaseIterable, Comparable {
  case note, warning, error

  public static func < (left: Severity, right: Severity) -> Bool { left.rank < right.rank }

  private var rank: Int {
    switch self {
    case .note: 0
    case .warning: 1
    case .error: 2
    }
  }
}

/// The stable id of a rule: `BHB001`.
public struct RuleID: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
  public var text: String

  public init(_ text: String) { self.text = text }

  public init(from decoder: any Decoder) throws {
    text = try decoder.singleValueContainer().decode(String.self)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }

  public static func < (left: RuleID, right: RuleID) -> Bool { left.text < right.text }

  public var description: String { text }
}

/// What a rule says, the same for every image: data, from which docs/rules.md is generated.
public struct Rule: Sendable, Hashable, Codable {
  public var id: RuleID
  public var severity: Severity
  public var title: String
  /// Why it matters.
  public var why: String
  /// What to do about it.
  public var advice: String

  public init(id: RuleID, severity: Severity, title: String, why: String, advice: String) {
    self.id = id
    self.severity = severity
    self.title = title
    self.why = why
    self.advice = advice
  }
}

/// A place in an image that a finding rests on.
public struct Location: Sendable, Hashable, Codable {
  public var image: String
  public var address: Address
  @OrNull public var symbol: String?

  public init(image: String, address: Address, symbol: String?) {
    self.image = image
    self.address = address
    self.symbol = symbol
  }
}

/// A rule that fired on an image.
public struct Finding: Sendable, Hashable, Codable {
  public var id: RuleID
  public var severity: Severity
  /// One sentence: what is wrong in this image.
  public var message: String
  /// The ids of the boot paths it rests on.
  public var paths: [String]
  public var locations: [Location]
  public var advice: String
  /// The rules whose findings on this image are its cause; empty for one that leads.
  public var followsFrom: [RuleID]

  public init(
    id: RuleID, severity: Severity, message: String, paths: [String] = [],
    locations: [Location] = [], advice: String, followsFrom: [RuleID] = []
  ) {
    self.id = id
    self.severity = severity
    self.message = message
    self.paths = paths
    self.locations = locations
    self.advice = advice
    self.followsFrom = followsFrom
  }

  enum CodingKeys: String, CodingKey {
    case id, severity, message, paths, locations, advice
    case followsFrom = "follows_from"
  }
}
