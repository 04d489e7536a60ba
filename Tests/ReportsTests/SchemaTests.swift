import Foundation
import Mitigation
import Reports
import Testing

@Suite struct SchemaTests {
  private let schema: JSONValue

  init() throws {
    schema = try SchemaFile.report.contents
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

  @Test(arguments: wrongChanges)
  func aWrongDocumentIsNotValid(right: String, wrong: String) throws {
    var checker = SchemaChecker(schema)
    checker.check(try JSONValue(changed(right, to: wrong)))
    #expect(checker.faults != [])
  }

  @Test func pythonsValidatorAgrees() throws {
    let comparison = try JSONDiff.render(Fixture.comparison())
    let mutation = try JSONReport.render(Fixture.mutation())
    let valid =
      try NamedReport.all.map { try JSONReport.render($0.report) }
      + Fixture.comparisons.map { try JSONDiff.render($0.report) }
      + Fixture.mutations.map { try JSONReport.render($0.report) }
    let invalid =
      try Self.wrongChanges.map { try changed($0.0, to: $0.1) }
      + [comparison.replacing(#""change" : "worse""#, with: #""change" : "bad""#)]
      + [mutation.replacing(#""status" : "killed""#, with: #""status" : "bad""#)]
    guard let refused = try refusedByPython(valid + invalid) else {
      print("python3 with jsonschema is missing (apt-get install python3-jsonschema): not compared")
      return
    }
    #expect(refused == Set(valid.count..<valid.count + invalid.count))
  }

  private static let wrongChanges = [
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
  ]

  private func changed(_ right: String, to wrong: String) throws -> String {
    let text = try JSONReport.render(Fixture.populated())
    let changed = text.replacing(right, with: wrong, maxReplacements: 1)
    try #require(changed != text)
    return changed
  }

  /// The indices of the documents that scripts/validate-report finds faults in; nil where Python
  /// or its package is missing.
  private func refusedByPython(_ documents: [String]) throws -> Set<Int>? {
    let folder = FileManager.default.temporaryDirectory
      .appending(component: "bhbcheck-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for (index, document) in documents.enumerated() {
      try Data(document.utf8).write(to: folder.appending(component: "\(index)"))
    }
    let script = Snapshots.repository.appending(components: "scripts", "validate-report").path()
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["python3", script] + documents.indices.map(String.init)
    process.currentDirectoryURL = folder
    let errors = Pipe()
    process.standardError = errors
    try process.run()
    let output = String(
      decoding: try errors.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    switch process.terminationStatus {
    case 0, 1:
      return Set(output.split(separator: "\n").compactMap { Int($0.prefix { $0 != ":" }) })
    case 69, 127:
      // The script's word for a missing package, and env's for a missing program.
      return nil
    default:
      Issue.record("validate-report: \(output)")
      return []
    }
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
