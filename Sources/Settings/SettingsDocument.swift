import Foundation
import Yams

/// A YAML document that is one flat mapping: of words to a word or a list of words.
struct SettingsDocument {
  struct Value {
    var text: String
    var line: Int
  }

  struct Entry {
    var key: String
    var line: Int
    var isList: Bool
    var values: [Value]
  }

  /// More than any settings need; a kernel given by mistake is not read.
  static let largest = 1 << 20

  let file: String
  private(set) var entries: [Entry] = []

  init(readingFrom path: String) throws(SettingsError) {
    let data: Data
    do {
      let handle = try FileHandle(forReadingFrom: URL(filePath: path))
      defer { try? handle.close() }
      data = try handle.read(upToCount: Self.largest + 1) ?? Data()
    } catch {
      throw SettingsError(path, Self.reason(error), isMissing: true)
    }
    guard data.count <= Self.largest, let text = String(data: data, encoding: .utf8) else {
      throw SettingsError(path, "is no text of at most \(Self.largest) bytes of UTF-8")
    }
    try self.init(text, file: path)
  }

  init(_ text: String, file: String) throws(SettingsError) {
    self.file = file
    let root: Node?
    do {
      // Nothing is taken for a number or a date: `no` and `1e3` are words like any other.
      root = try Parser(yaml: text, resolver: .basic).singleRoot()
    } catch {
      throw SettingsError(file, yaml: error)
    }
    // A file of comments alone sets nothing.
    guard let root, !Self.isEmpty(root) else { return }
    guard case .mapping(let mapping) = root else {
      throw self.error(at: root.mark?.line, "expected 'option: value' on each line")
    }
    for (key, value) in mapping { entries.append(try entry(key, value)) }
  }

  func error(at line: Int?, _ message: String) -> SettingsError {
    SettingsError(file, line: line, message)
  }

  /// The value of an option that takes one.
  func single(_ entry: Entry) throws(SettingsError) -> String {
    guard !entry.isList, let value = entry.values.first, !value.text.isEmpty else {
      throw error(at: entry.line, "\(entry.key) takes one value")
    }
    return value.text
  }

  private func entry(_ key: Node, _ value: Node) throws(SettingsError) -> Entry {
    let line = key.mark?.line
    guard case .scalar(let name) = key else { throw error(at: line, "a key is no word") }
    let nodes: [Node]
    let isList: Bool
    switch value {
    case .scalar: (nodes, isList) = ([value], false)
    case .sequence(let sequence): (nodes, isList) = (Array(sequence), true)
    case .mapping, .alias:
      throw error(
        at: value.mark?.line ?? line, "\(name.string) takes a value or a list of values")
    }
    var values: [Value] = []
    for node in nodes {
      guard case .scalar(let scalar) = node, !scalar.string.isEmpty else {
        throw error(at: node.mark?.line ?? line, "\(name.string) has a value that is no word")
      }
      values.append(Value(text: scalar.string, line: node.mark?.line ?? line ?? 1))
    }
    return Entry(key: name.string, line: line ?? 1, isList: isList, values: values)
  }

  private static func isEmpty(_ node: Node) -> Bool {
    guard case .scalar(let scalar) = node else { return false }
    return scalar.string.isEmpty
  }

  private static func reason(_ error: any Error) -> String {
    let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
    guard let underlying, underlying.domain == NSPOSIXErrorDomain else {
      return "cannot be read: \(error.localizedDescription)"
    }
    return "cannot be read: \(String(cString: strerror(Int32(underlying.code))))"
  }
}

extension SettingsError {
  /// A fault that Yams found, in one line.
  fileprivate init(_ file: String, yaml error: any Error) {
    switch error {
    case YamlError.scanner(_, let problem, let mark, _),
      YamlError.parser(_, let problem, let mark, _),
      YamlError.composer(_, let problem, let mark, _):
      self.init(file, line: mark.line, "no valid YAML: \(problem)")
    case YamlError.reader(let problem, _, _, _):
      self.init(file, "no valid YAML: \(problem)")
    case YamlError.duplicatedKeysInMapping(let keys, let context):
      self.init(
        file, line: context.mark.line,
        "occurs twice: " + keys.sorted().joined(separator: ", "))
    default:
      self.init(file, "no valid YAML: \(error)")
    }
  }
}
