import Foundation
import Testing

/// A schema of docs/.
enum SchemaFile: String {
  case report
  case diff
  case mutation

  var contents: JSONValue {
    get throws {
      let file = Snapshots.repository.appending(components: "docs", "\(rawValue).schema.json")
      return try JSONValue(String(contentsOf: file, encoding: .utf8))
    }
  }

  /// Reads documents by the schema and the report's definitions that it refers to.
  var checker: SchemaChecker {
    get throws {
      let (own, report) = (try contents, try Self.report.contents)
      let definitions = SchemaChecker(report).definitions
        .merging(SchemaChecker(own).definitions) { $1 }
      return SchemaChecker(.object(own.object.merging(["$defs": .object(definitions)]) { $1 }))
    }
  }

  /// Expects no object of the schema to be open, or to name a key that `checker` met nowhere.
  func expectClosed(_ checker: SchemaChecker, sourceLocation: SourceLocation = #_sourceLocation)
    throws
  {
    for (name, definition) in SchemaChecker(try contents).definitions {
      guard let properties = definition.object["properties"]?.object else { continue }
      #expect(
        definition.object["additionalProperties"] == .bool(false), "\(name)",
        sourceLocation: sourceLocation)
      let required = definition.object["required"]?.array.compactMap(\.string) ?? []
      #expect(Set(required) == Set(properties.keys), "\(name)", sourceLocation: sourceLocation)
      for key in properties.keys {
        #expect(
          checker.filled.contains("\(name)/\(key)"), "\(name)/\(key)",
          sourceLocation: sourceLocation)
      }
    }
  }
}
