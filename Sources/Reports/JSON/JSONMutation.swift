import Foundation
public import Mitigation

extension JSONReport {
  /// What became of mutants, as one JSON document; keys are sorted by name.
  ///
  /// - Throws: `EncodingError`, which no report can cause.
  public static func render(_ report: MutationReport) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(report), as: UTF8.self) + "\n"
  }
}
