/// The parts of an OpenVEX 0.2.0 document that this package writes, by the names of the
/// specification (openvex/spec, OPENVEX-SPEC.md).
struct OpenVEXDocument: Encodable {
  var context = "https://openvex.dev/ns/v0.2.0"
  var id: String
  var author: String
  var role = "Document Creator"
  var timestamp: String
  var version = 1
  var tooling: String
  var statements: [Statement]

  enum CodingKeys: String, CodingKey {
    case context = "@context"
    case id = "@id"
    case author, role, timestamp, version, tooling, statements
  }

  struct Statement: Encodable {
    var vulnerability: Vulnerability
    var products: [Product]
    var status: Status
    var statusNotes: String
    /// Only, and always, of one that is not affected.
    var justification: String?
    var impactStatement: String?
    /// Always of one that is affected.
    var actionStatement: String?

    enum CodingKeys: String, CodingKey {
      case vulnerability, products, status
      case statusNotes = "status_notes"
      case justification
      case impactStatement = "impact_statement"
      case actionStatement = "action_statement"
    }
  }

  struct Vulnerability: Encodable {
    var id: String
    var name: String
    var description: String

    enum CodingKeys: String, CodingKey {
      case id = "@id"
      case name, description
    }
  }

  struct Product: Encodable {
    var id: String
    var identifiers: [String: String]
    var hashes: [String: String]?

    enum CodingKeys: String, CodingKey {
      case id = "@id"
      case identifiers, hashes
    }
  }

  enum Status: String, Encodable {
    case affected, fixed
    case notAffected = "not_affected"
    case underInvestigation = "under_investigation"
  }
}
