import Foundation
import Mitigation
import Reports
import Testing

@Suite struct SchemaTests {
  private static let repository = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  private let schema: JSONValue

  init() throws {
    let file = Self.repository.appending(components: "docs", "report.schema.json")
    schema = try JSONValue(String(contentsOf: file, encoding: .utf8))
  }

  @Test(arguments: NamedReport.all)
  func everyReportIsValid(named: NamedReport) throws {
    var checker = SchemaChecker(schema)
    checker.check(try JSONValue(JSONReport.render(named.report)))
    #expect(checker.faults == [])
  }

  @Test func theSchemaNamesNoKeyThatAReportCannotHold() throws {
    var checker = SchemaChecker(schema)
    checker.check(try JSONValue(JSONReport.render(Fixture.populated())))
    var named = Set<String>()
    for (name, definition) in checker.definitions.merging(["": schema], uniquingKeysWith: { $1 }) {
      for key in (definition.object["properties"]?.object ?? [:]).keys {
        named.insert("\(name)/\(key)")
      }
    }
    #expect(named.subtracting(checker.filled) == [])
  }

  @Test func everyObjectIsClosedAndLeavesNoKeyOut() {
    for (name, definition) in SchemaChecker(schema).definitions {
      guard let properties = definition.object["properties"]?.object else { continue }
      #expect(definition.object["additionalProperties"] == .bool(false), "\(name)")
      let required = definition.object["required"]?.array.compactMap(\.string) ?? []
      #expect(Set(required) == Set(properties.keys), "\(name)")
    }
  }

  @Test func everyListOfValuesIsThatOfTheModel() {
    var lists: [String: [String]] = [:]
    collectLists(in: Fixture.populated(), into: &lists)
    let inSchema = SchemaChecker(schema).definitions.compactMapValues {
      $0.object["enum"]?.array.compactMap(\.string)
    }
    #expect(lists == inSchema)
  }

  @Test(arguments: [
    (#""format_version" : 1"#, #""format_version" : 2"#),
    (#""shape" : "immediate""#, #""shape" : "guessed""#),
    (#""severity" : "error""#, #""severity" : "fatal""#),
    (#""address" : "0xffffffff82001c80""#, #""address" : "0xFFFFFFFF82001C80""#),
    (#""bytes" : "e8123456ff""#, #""bytes" : "e8 12""#),
    (#""id" : "BHB042""#, #""id" : "BHB42""#),
    (#""bpf" :"#, #""sysret" :"#),
    (#""last_byte_in_line" : 63"#, #""last_byte_in_line" : 64"#),
    (#""negated" : true"#, #""negated" : null"#),
    (#""negated" : true"#, #""negated" : true, "news" : 1"#),
    (#""negated" : true,"#, ""),
    (#""leaf" : null"#, #""leaf" : "0x00000007""#),
  ])
  func aWrongDocumentIsNotValid(right: String, wrong: String) throws {
    let text = try JSONReport.render(Fixture.populated())
    let changed = text.replacing(right, with: wrong, maxReplacements: 1)
    try #require(changed != text)
    var checker = SchemaChecker(schema)
    checker.check(try JSONValue(changed))
    #expect(checker.faults != [])
    if let status = try validateWithPython(changed) { #expect(status == 1) }
  }

  @Test(arguments: NamedReport.all)
  func pythonsValidatorAgrees(named: NamedReport) throws {
    if let status = try validateWithPython(JSONReport.render(named.report)) {
      #expect(status == 0)
    }
  }

  /// The exit status of scripts/validate-report; nil, with a line that says so, where Python or
  /// its package is missing.
  private func validateWithPython(_ document: String) throws -> Int32? {
    let file = FileManager.default.temporaryDirectory
      .appending(component: "bhbcheck-\(UUID().uuidString).json")
    try Data(document.utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [
      "python3", Self.repository.appending(components: "scripts", "validate-report").path(),
      file.path(),
    ]
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    // 127 is env's word for a program that is not there.
    guard process.terminationStatus != 69, process.terminationStatus != 127 else {
      print("python3 with jsonschema is missing (apt-get install python3-jsonschema): not compared")
      return nil
    }
    return process.terminationStatus
  }

  /// Every type of `value` and of what is in it that is a closed list, by its name in the schema.
  private func collectLists(in value: Any, into lists: inout [String: [String]]) {
    if let type = type(of: value) as? any (CaseIterable & RawRepresentable).Type {
      let name = String(reflecting: type).split(separator: ".").dropFirst().joined(separator: ".")
      lists[name] = rawValues(of: type)
    }
    for child in Mirror(reflecting: value).children { collectLists(in: child.value, into: &lists) }
  }

  private func rawValues<List: CaseIterable & RawRepresentable>(of type: List.Type) -> [String] {
    List.allCases.compactMap { $0.rawValue as? String }
  }
}
