import Foundation

/// A JSON document in which everything that occurs more than once is written once.
///
/// Boot paths share most of their evidence; a page that holds all of it would be several times as
/// large. `{"$": n}` in `data` or in a later entry of `pool` stands for entry n of `pool`.
struct SharedJSON {
  /// What is shorter than this costs no more when it is repeated.
  private static let leastSize = 24

  private var counts: [Value: Int] = [:]
  private var places: [Value: Int] = [:]
  private var pool: [String] = []

  /// The document for a value, on one line.
  static func render(_ value: some Encodable) throws -> String {
    let encoded = try JSONEncoder().encode(value)
    let tree = try JSONDecoder().decode(Value.self, from: encoded)
    var writer = SharedJSON()
    writer.count(tree)
    let data = writer.write(tree)
    return "{\"pool\":[\(writer.pool.joined(separator: ","))],\"data\":\(data)}"
  }

  private mutating func count(_ value: Value) {
    guard value.canBeShared else { return }
    counts[value, default: 0] += 1
    // What is in a value that was met before is counted with it.
    guard counts[value] == 1 else { return }
    switch value {
    case .array(let values): for value in values { count(value) }
    case .object(let fields):
      for field in fields.sorted(by: { $0.key < $1.key }) { count(field.value) }
    default: break
    }
  }

  private mutating func write(_ value: Value) -> String {
    if let place = places[value] { return "{\"$\":\(place)}" }
    let text: String
    switch value {
    case .null: return "null"
    case .bool(let isTrue): return isTrue ? "true" : "false"
    case .number(let number): return number == number.rounded() ? "\(Int(number))" : "\(number)"
    case .string(let string): text = Self.quoted(string)
    case .array(let values): text = "[" + values.map { write($0) }.joined(separator: ",") + "]"
    case .object(let fields):
      let parts = fields.sorted { $0.key < $1.key }.map {
        "\(Self.quoted($0.key)):\(write($0.value))"
      }
      text = "{" + parts.joined(separator: ",") + "}"
    }
    guard counts[value, default: 0] > 1, text.utf8.count >= Self.leastSize else { return text }
    places[value] = pool.count
    pool.append(text)
    return "{\"$\":\(pool.count - 1)}"
  }

  /// A JSON string that is also harmless inside of a script element, where the parser of HTML
  /// looks for `</script` and `<!--` whatever JSON thinks, and to readers for which U+2028 and
  /// U+2029 end a line.
  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "<", ">", "&", "'", "\u{2028}", "\u{2029}", "\u{7f}"..."\u{9f}", "\u{0}"..."\u{1f}":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  private enum Value: Hashable, Decodable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([Value])
    case object([String: Value])

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if container.decodeNil() {
        self = .null
      } else if let value = try? container.decode(String.self) {
        self = .string(value)
      } else if let value = try? container.decode([String: Value].self) {
        self = .object(value)
      } else if let value = try? container.decode([Value].self) {
        self = .array(value)
      } else if let value = try? container.decode(Bool.self) {
        self = .bool(value)
      } else {
        self = .number(try container.decode(Double.self))
      }
    }

    var canBeShared: Bool {
      switch self {
      case .null, .bool, .number: false
      case .string, .array, .object: true
      }
    }
  }
}
