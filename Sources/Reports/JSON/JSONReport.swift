import Foundation
public import Mitigation

/// Why a document could not be read as a report.
public enum ReportReadError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The text is no JSON document.
  case notJSON(String)
  /// The document is of another version of the format, or of another format.
  case formatVersion(found: Int?)
  /// A value is missing or is not what the schema asks for; the key path as `images[0].error`.
  case invalid(at: String, reason: String)

  public var description: String {
    switch self {
    case .notJSON(let reason):
      "not a JSON document: \(reason)"
    case .formatVersion(let found):
      "expected a report with format_version \(Report.currentFormatVersion), found "
        + (found.map(String.init) ?? "none")
    case .invalid(let path, let reason):
      "not a valid report at \(path.isEmpty ? "its root" : path): \(reason)"
    }
  }
}

/// The report as one JSON document, which docs/report.schema.json describes.
///
/// Keys are sorted by name, so that the same report gives the same bytes.
public struct JSONReport {
  /// The document, with a line feed at its end.
  ///
  /// - Throws: `EncodingError`, which no report can cause: its values are all representable.
  public static func render(_ report: Report) throws -> String { try document(report) }

  /// How every document of ours is written.
  static func document(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
  }

  /// The report that a document of `render` holds.
  ///
  /// Keys that this version does not know are ignored: additions do not change the version.
  public static func parse(_ document: some Sequence<UInt8>) throws(ReportReadError) -> Report {
    let decoder = JSONDecoder()
    let data = Data(document)
    do {
      // The version comes first: a document of another one fails for that and nothing else.
      let header = try decoder.decode(Header.self, from: data)
      guard header.formatVersion == Report.currentFormatVersion else {
        throw ReportReadError.formatVersion(found: header.formatVersion)
      }
      return try decoder.decode(Report.self, from: data)
    } catch let error as ReportReadError {
      throw error
    } catch let error as DecodingError {
      throw ReportReadError(error)
    } catch {
      throw .notJSON("\(error)")
    }
  }

  private struct Header: Decodable {
    var formatVersion: Int?

    enum CodingKeys: String, CodingKey { case formatVersion = "format_version" }
  }
}

extension ReportReadError {
  init(_ error: DecodingError) {
    switch error {
    case .keyNotFound(let key, let context):
      self = .invalid(at: keyPath(context.codingPath), reason: "no key '\(key.stringValue)'")
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      self = .invalid(at: keyPath(context.codingPath), reason: context.debugDescription)
    case .dataCorrupted(let context) where context.codingPath.isEmpty:
      self = .notJSON(context.debugDescription)
    case .dataCorrupted(let context):
      self = .invalid(at: keyPath(context.codingPath), reason: context.debugDescription)
    @unknown default:
      self = .invalid(at: "", reason: "\(error)")
    }
  }
}

private func keyPath(_ path: [any CodingKey]) -> String {
  path.reduce(into: "") { text, key in
    if let index = key.intValue {
      text += "[\(index)]"
    } else {
      text += (text.isEmpty ? "" : ".") + key.stringValue
    }
  }
}
