import Foundation

/// `value` as JSON with sorted keys, for comparison with a literal.
func json(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  return String(decoding: try encoder.encode(value), as: UTF8.self)
}

func decode<Value: Decodable>(_ text: String, as type: Value.Type = Value.self) throws -> Value {
  try JSONDecoder().decode(type, from: Data(text.utf8))
}

func roundTrip<Value: Codable>(_ value: Value) throws -> Value {
  try decode(json(value), as: Value.self)
}
