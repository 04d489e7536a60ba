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
  /// The attack vectors that it switches off in some kernels, by their documentation, and in others
  /// not: there the image's own choice counts as the user's.
  public var maySwitchOff: Set<AttackVector> = []
  /// Why it is in the matrix.
  public var reason: String
  /// Whether the user wrote it: then nothing that comes with the image is added to it.
  public var isLiteral = false

  private enum CodingKeys: String, CodingKey { case name, line, switchesOff, maySwitchOff, reason }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    name = try container.decode(String.self, forKey: .name)
    line = try container.decode(String.self, forKey: .line)
    switchesOff = try container.decode(Set<AttackVector>.self, forKey: .switchesOff)
    maySwitchOff =
      try container.decodeIfPresent(Set<AttackVector>.self, forKey: .maySwitchOff) ?? []
    reason = try container.decode(String.self, forKey: .reason)
  }

  public init(
    name: String, line: String, switchesOff: Set<AttackVector> = [], reason: String = ""
  ) {
    self.name = name
    self.line = line
    self.switchesOff = switchesOff
    self.reason = reason
  }
}

extension CommandLine {
  /// Whether it holds an option that this mitigation depends on, whatever that option says.
  public var namesMitigation: Bool {
    let options = ["mitigations", "nospectre_v2", "spectre_v2", "spectre_bhi"]
    return line.split(whereSeparator: \.isWhitespace).contains { word in
      options.contains(String(word.prefix { $0 != "=" }))
    }
  }
}

extension MatrixCatalog {
  /// The command line that the user wrote: by the name it has in the data, or named by itself.
  ///
  /// What it switches off is put together from the known lines whose options it contains.
  public func commandLine(writtenAs text: String) -> CommandLine {
    let line = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    if var known = commandLines.first(where: { $0.line == line }) {
      known.isLiteral = true
      return known
    }
    let options = MitigationOptions(line)
    // An explicit option outlives the general one, in the kernels that document it.
    let effective = options.contains(["spectre_bhi=on"]) ? options.without("mitigations") : options
    var given = CommandLine(
      name: line.isEmpty ? "default" : line, line: text, reason: "given by the user")
    for known in commandLines {
      let wanted = MitigationOptions(known.line).settings
      if effective.contains(wanted) { given.switchesOff.formUnion(known.switchesOff) }
      if options.contains(wanted) { given.maySwitchOff.formUnion(known.maySwitchOff) }
    }
    given.isLiteral = true
    return given
  }
}

/// The options of a command line, of which the last of a name counts, in single settings:
/// `mitigations=auto,nosmt,no_user_kernel` has three.
private struct MitigationOptions {
  private var values: [Substring: Set<String>] = [:]

  init(_ line: String) {
    for word in line.split(whereSeparator: \.isWhitespace) {
      let name = word.prefix { $0 != "=" }
      values[name] =
        name == "mitigations"
        ? Set(
          word.dropFirst(name.count + 1).split { $0 == "," || $0 == ";" }
            .map { "mitigations=\($0)" }) : [String(word)]
    }
  }

  /// What it sets, except what is the default anyway.
  var settings: Set<String> {
    Set(values.values.flatMap(\.self)).subtracting(["mitigations=auto"])
  }

  func contains(_ wanted: Set<String>) -> Bool {
    !wanted.isEmpty && wanted.isSubset(of: settings)
  }

  func without(_ name: Substring) -> MitigationOptions {
    var others = self
    others.values[name] = nil
    return others
  }
}
