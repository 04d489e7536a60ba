/// As much of JSON Schema 2020-12 as docs/report.schema.json uses.
///
/// A keyword it does not know is a fault, so that no rule of the schema goes unheard. It also
/// notes which properties had a value, for the test that the schema names nothing else.
struct SchemaChecker {
  let root: JSONValue
  private(set) var faults: [String] = []
  /// The properties met with a value other than null, as `EvidenceName/key`.
  private(set) var filled: Set<String> = []

  init(_ root: JSONValue) { self.root = root }

  /// The schemas under `$defs`, by name.
  var definitions: [String: JSONValue] { root.object["$defs"]?.object ?? [:] }

  mutating func check(_ value: JSONValue) {
    check(value, root, name: "", at: "$")
  }

  private mutating func check(
    _ value: JSONValue, _ schema: JSONValue, name: String, at path: String
  ) {
    for (keyword, rule) in schema.object {
      switch keyword {
      case "$schema", "$id", "$defs", "title", "description", "then", "else":
        break
      case "properties", "required", "additionalProperties", "propertyNames":
        // Taken together below.
        break
      case "$ref":
        let target = String(rule.string?.split(separator: "/").last ?? "")
        guard let definition = definitions[target] else {
          faults.append("\(path): no definition \(target)")
          continue
        }
        check(value, definition, name: target, at: path)
      case "type":
        let wanted = rule.string.map { [$0] } ?? rule.array.compactMap(\.string)
        if value.typeNames.allSatisfy({ !wanted.contains($0) }) {
          faults.append("\(path): \(value) is no \(wanted)")
        }
      case "enum":
        if !rule.array.contains(value) { faults.append("\(path): \(value) is not listed") }
      case "const":
        if rule != value { faults.append("\(path): \(value) is not \(rule)") }
      case "pattern":
        let pattern = try? Regex(rule.string ?? "")
        guard let text = value.string else { continue }
        if pattern.flatMap({ text.firstMatch(of: $0) }) == nil {
          faults.append("\(path): '\(text)' does not match \(rule)")
        }
      case "minimum", "maximum":
        guard case (.number(let number), .number(let limit)) = (value, rule) else { continue }
        if keyword == "minimum" ? number < limit : number > limit {
          faults.append("\(path): \(number) is beyond \(keyword) \(limit)")
        }
      case "items":
        for (index, element) in value.array.enumerated() {
          check(element, rule, name: name, at: "\(path)[\(index)]")
        }
      case "anyOf":
        let results = rule.array.map { outcome(of: value, $0, name: name, at: path) }
        if let match = results.first(where: \.faults.isEmpty) {
          filled.formUnion(match.filled)
        } else {
          faults += results.first?.faults ?? ["\(path): nothing is allowed"]
        }
      case "if":
        let holds = outcome(of: value, rule, name: name, at: path).faults.isEmpty
        if let branch = schema.object[holds ? "then" : "else"] {
          check(value, branch, name: name, at: path)
        }
      default:
        faults.append("\(path): the schema's keyword \(keyword) is not known here")
      }
    }
    if case .object(let members) = value { checkMembers(members, schema, name: name, at: path) }
  }

  private mutating func checkMembers(
    _ members: [String: JSONValue], _ schema: JSONValue, name: String, at path: String
  ) {
    let rules = schema.object
    let properties = rules["properties"]?.object ?? [:]
    for key in rules["required"]?.array.compactMap(\.string) ?? [] where members[key] == nil {
      faults.append("\(path): no key \(key)")
    }
    for (key, member) in members {
      let place = "\(path).\(key)"
      if let names = rules["propertyNames"] { check(.string(key), names, name: name, at: place) }
      if let property = properties[key] {
        if member != .null { filled.insert("\(name)/\(key)") }
        check(member, property, name: name, at: place)
      } else if let others = rules["additionalProperties"] {
        if others == .bool(false) {
          faults.append("\(place): not in the schema")
        } else {
          check(member, others, name: name, at: place)
        }
      }
    }
  }

  private func outcome(
    of value: JSONValue, _ schema: JSONValue, name: String, at path: String
  ) -> SchemaChecker {
    var copy = SchemaChecker(root)
    copy.check(value, schema, name: name, at: path)
    return copy
  }
}
