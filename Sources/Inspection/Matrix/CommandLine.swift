public import Mitigation

/// A kernel command line with a name that stays when the matrix grows.
public struct CommandLine: Sendable, Hashable, Decodable {
  public var name: String
  public var line: String
  /// The attack vectors that the user switches off with it, as the kernel documents its switches.
  ///
  /// Where this differs from what an image does, the image's documentation of that age decides;
  /// the policy excuses no more than what is listed here.
  public var switchesOff: Set<AttackVector>
  /// Why it is in the matrix.
  public var reason: String
  /// Whether the user wrote it: then nothing that comes with the image is added to it.
  public var isLiteral = false

  private enum CodingKeys: String, CodingKey { case name, line, switchesOff, reason }

  public init(
    name: String, line: String, switchesOff: Set<AttackVector> = [], reason: String = ""
  ) {
    self.name = name
    self.line = line
    self.switchesOff = switchesOff
    self.reason = reason
  }
}
