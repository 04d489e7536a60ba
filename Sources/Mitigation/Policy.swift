/// The least protection that each boot path needs: data, which users can add to.
///
/// Rows are tried in order, and the first whose condition holds decides.
public struct Policy: Sendable, Hashable, Decodable {
  /// One row of the table.
  public struct Row: Sendable, Hashable, Decodable {
    public var when: Condition
    public var requires: Requirement
    /// Other protection that does as well.
    public var accepts: [Protection]
    /// Whether what the row describes may suffice, and nobody can tell: the verdict is undetermined.
    public var isUnproven: Bool
    public var reason: String

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case when, requires, accepts, unproven, reason
    }

    public init(from decoder: any Decoder) throws {
      try decoder.refuseKeys(except: CodingKeys.self)
      let container = try decoder.container(keyedBy: CodingKeys.self)
      when = try container.decode(Condition.self, forKey: .when)
      requires = try container.decode(Requirement.self, forKey: .requires)
      accepts = try container.decodeIfPresent([Protection].self, forKey: .accepts) ?? []
      isUnproven = try container.decodeIfPresent(Bool.self, forKey: .unproven) ?? false
      reason = try container.decode(String.self, forKey: .reason)
    }
  }

  /// A mechanism with the sequence that goes with it.
  public struct Protection: Sendable, Hashable, Decodable {
    public var mechanism: Mechanism
    public var sequence: SelectedSequence
    /// Whether IBHF has to follow the sequence; nil: that does not matter.
    public var followedByIbhf: Bool?

    /// Whether an outcome is this.
    func matches(_ outcome: EntryPointOutcome) -> Bool {
      mechanism == outcome.mechanism && sequence == outcome.sequence
        && (followedByIbhf == nil || followedByIbhf == outcome.followedByIBHF)
    }
  }

  /// What must be the case; what is nil does not matter, and an unknown value fits nothing.
  public struct Condition: Sendable, Hashable, Decodable {
    public var affected: Bool?
    public var beforeAlderLake: Bool?
    /// Whether the kernel knows itself to be a guest.
    public var guest: Bool?
    public var confidential: Bool?
    public var nestedHypervisor: Bool?
    public var statement: [Statement]?
    public var showsBhiControl: Bool?
    public var rrsba: [PathFacts.RRSBA]?
    public var hardwareControl: Bool?
    public var entryPoints: [EntryPoint]?
    public var entersKernel: Bool?
    /// Whether the user switched off the vector that the entry point belongs to.
    public var vectorSwitchedOff: Bool?
    public var mechanism: [Mechanism]?

    private enum CodingKeys: String, CodingKey, CaseIterable {
      case affected, beforeAlderLake, guest, confidential, nestedHypervisor, statement
      case showsBhiControl, rrsba, hardwareControl, entryPoints, entersKernel, vectorSwitchedOff
      case mechanism
    }

    public init(from decoder: any Decoder) throws {
      try decoder.refuseKeys(except: CodingKeys.self)
      let container = try decoder.container(keyedBy: CodingKeys.self)
      func value<Value: Decodable>(_ key: CodingKeys) throws -> Value? {
        try container.decodeIfPresent(Value.self, forKey: key)
      }
      affected = try value(.affected)
      beforeAlderLake = try value(.beforeAlderLake)
      guest = try value(.guest)
      confidential = try value(.confidential)
      nestedHypervisor = try value(.nestedHypervisor)
      statement = try value(.statement)
      showsBhiControl = try value(.showsBhiControl)
      rrsba = try value(.rrsba)
      hardwareControl = try value(.hardwareControl)
      entryPoints = try value(.entryPoints)
      entersKernel = try value(.entersKernel)
      vectorSwitchedOff = try value(.vectorSwitchedOff)
      mechanism = try value(.mechanism)
    }
  }

  public var id: String
  public var title: String
  /// Whose opinion it is.
  public var source: String
  public var rows: [Row]

  private enum CodingKeys: String, CodingKey, CaseIterable { case id, title, source, rows }

  public init(from decoder: any Decoder) throws {
    try decoder.refuseKeys(except: CodingKeys.self)
    let container = try decoder.container(keyedBy: CodingKeys.self)
    id = try container.decode(String.self, forKey: .id)
    title = try container.decode(String.self, forKey: .title)
    source = try container.decode(String.self, forKey: .source)
    rows = try container.decode([Row].self, forKey: .rows)
  }

  /// The policy that is used when none is asked for.
  public static let defaultID = "default"
}

/// The data file of policies: policies.json.
public struct PolicyDocument: Decodable, Sendable {
  public var policies: [Policy]

  /// The document that is compiled in. Its keys are in snake case.
  public static var builtIn: [UInt8] { PackageResources.policies_json }
}

extension Policy.Condition {
  /// Whether it holds at `entryPoint`, which `outcome` was found at.
  func holds(
    for facts: PathFacts, at entryPoint: EntryPoint, outcome: EntryPointOutcome
  ) -> Bool {
    func fits<Value: Equatable>(_ wanted: Value?, _ value: Value?) -> Bool {
      wanted == nil || wanted == value
    }
    func fits<Value: Equatable>(_ wanted: [Value]?, _ value: Value?) -> Bool {
      guard let wanted else { return true }
      return value.map(wanted.contains) ?? false
    }
    return fits(affected, facts.affected) && fits(beforeAlderLake, facts.beforeAlderLake)
      && fits(guest, facts.isKnownGuest) && fits(confidential, facts.isConfidential)
      && fits(nestedHypervisor, facts.isNestedHypervisor) && fits(statement, facts.statement)
      && fits(showsBhiControl, facts.showsBHIControl) && fits(rrsba, facts.rrsba)
      && fits(hardwareControl, facts.hasHardwareControl) && fits(entryPoints, entryPoint)
      && fits(entersKernel, entryPoint.entersKernel)
      && fits(vectorSwitchedOff, facts.isSwitchedOff(entryPoint.vector, outcome))
      && fits(mechanism, outcome.mechanism)
  }
}

private struct AnyKey: CodingKey {
  var stringValue: String
  var intValue: Int? { nil }

  init?(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

extension Decoder {
  /// Refuses a key that nobody reads: a condition with a slip in its name would hold everywhere.
  fileprivate func refuseKeys<Keys: CodingKey & CaseIterable>(except known: Keys.Type) throws {
    let names = Set(Keys.allCases.map(\.stringValue))
    for key in try container(keyedBy: AnyKey.self).allKeys where !names.contains(key.stringValue) {
      throw DecodingError.dataCorrupted(
        .init(codingPath: codingPath + [key], debugDescription: "no such key"))
    }
  }
}
