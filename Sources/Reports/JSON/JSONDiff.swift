public import Mitigation

/// A comparison as one JSON document, which docs/diff.schema.json describes.
public struct JSONDiff {
  /// The document, with a line feed at its end; the same comparison gives the same bytes.
  ///
  /// - Throws: `EncodingError`, which no comparison can cause: its values are all representable.
  public static func render(_ report: ComparisonReport) throws -> String {
    try JSONReport.document(report)
  }
}
