import Foundation
public import Mitigation

/// What a settings file says for `bhbcheck gate`. Its keys are the long names of the options.
public struct GateSettings: Sendable, Hashable {
  public var baseline: String?
  public var policy: String?
  public var contract: String?
  public var failOn: Severity?
  public var allow: [RuleID] = []
  public var require: [GateCondition] = []
  public var modules: [String] = []
  public var systemMap: String?

  public init() {}

  /// The keys that a file may have.
  public static let keys = Key.allCases.map(\.rawValue)

  enum Key: String, CaseIterable {
    case allow, baseline, contract
    case failOn = "fail-on"
    case module, policy, require
    case systemMap = "system-map"
  }

  /// What the file at `path` says.
  ///
  /// Paths in it count from the folder it is in, so that it means the same wherever the command
  /// runs.
  public init(readingFrom path: String) throws(SettingsError) {
    try self.init(SettingsDocument(readingFrom: path), folder: Self.folder(of: path))
  }

  /// What `text` says.
  ///
  /// - Parameters:
  ///   - file: the file's name, for errors.
  ///   - folder: what relative paths in it count from; empty for the current directory.
  public init(_ text: String, file: String, folder: String = "") throws(SettingsError) {
    try self.init(SettingsDocument(text, file: file), folder: folder)
  }

  private init(_ document: SettingsDocument, folder: String) throws(SettingsError) {
    func located(_ path: String) -> String {
      path.hasPrefix("/") || folder.isEmpty ? path : folder + "/" + path
    }
    for entry in document.entries {
      guard let key = Key(rawValue: entry.key) else {
        throw document.error(
          at: entry.line,
          "unknown key '\(entry.key)'; a settings file may have "
            + Self.keys.joined(separator: ", "))
      }
      switch key {
      case .baseline: baseline = located(try document.single(entry))
      case .policy: policy = try document.single(entry)
      case .contract: contract = try document.single(entry)
      case .systemMap: systemMap = located(try document.single(entry))
      case .module: modules = entry.values.map { located($0.text) }
      case .failOn:
        let text = try document.single(entry)
        guard let severity = Severity(rawValue: text) else {
          throw document.error(
            at: entry.line, "fail-on is '\(text)', where error, warning or note was expected")
        }
        failOn = severity
      case .allow:
        allow = try entry.values.map { value throws(SettingsError) in
          guard let rule = Rule.of(RuleID(value.text)) else {
            throw document.error(at: value.line, "allow names no rule: '\(value.text)'")
          }
          return rule.id
        }
      case .require:
        require = try entry.values.map { value throws(SettingsError) in
          guard let condition = GateCondition(value.text) else {
            throw document.error(
              at: value.line,
              "require has no condition '\(value.text)'; there are \(GateCondition.forms)")
          }
          return condition
        }
      }
    }
  }

  private static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "" }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
