public import Mitigation

/// The findings as a SARIF 2.1.0 log, which code scanning services and editors read.
///
/// A rule keeps its id. A place in an image is a logical location: its address does not fit into
/// the integers of JSON, so it stands in the fully qualified name, `vmlinux!symbol@0x…`.
public struct SARIFReport {
  /// The log, with a line feed at its end; the same report gives the same bytes.
  ///
  /// - Throws: `EncodingError`, which no report can cause.
  public static func render(_ report: Report) throws -> String {
    try JSONReport.document(SARIFLog(runs: [run(report)]))
  }

  private static func run(_ report: Report) -> SARIFLog.Run {
    SARIFLog.Run(
      tool: .init(
        driver: .init(
          name: report.tool.name, semanticVersion: report.tool.version,
          shortDescription: .init(
            text: "Which branch-history clearing sequence a Linux kernel selects"),
          rules: Rule.all.map(rule))),
      automationDetails: .init(id: "\(report.tool.name)/\(report.policy ?? "static")/"),
      invocations: [
        .init(
          executionSuccessful: report.images.allSatisfy { $0.error == nil },
          toolExecutionNotifications: report.images.enumerated().compactMap(notification))
      ],
      artifacts: report.images.map(artifact),
      results: report.images.enumerated().flatMap(results))
  }

  private static func rule(_ rule: Rule) -> SARIFLog.Rule {
    .init(
      id: rule.id.text, shortDescription: .init(text: sentence(rule.title)),
      fullDescription: .init(text: rule.why), help: .init(text: rule.advice),
      defaultConfiguration: .init(level: rule.severity.rawValue))
  }

  private static func artifact(_ image: ImageReport) -> SARIFLog.Artifact {
    var properties: [String: String] = [:]
    properties["release"] = image.kernel?.release
    properties["build_id"] = image.kernel?.buildID
    return .init(
      location: .init(uri: fileReference(image.path)),
      hashes: image.sha256.map { ["sha-256": $0] }, properties: properties)
  }

  private static func notification(_ index: Int, _ image: ImageReport) -> SARIFLog.Notification? {
    image.error.map { error in
      .init(
        level: "error", message: .init(text: "\(error.message) (\(error.code.rawValue))"),
        locations: [.init(physicalLocation: place(index, image))])
    }
  }

  private static func results(_ index: Int, _ image: ImageReport) -> [SARIFLog.Result] {
    // Two findings of one rule may say the same of different places.
    var earlier: [String: Int] = [:]
    return image.findings.map { finding in
      let key = "\(finding.id)|\(finding.subject)"
      let number = earlier[key, default: 0]
      earlier[key] = number + 1
      return .init(
        ruleId: finding.id.text, ruleIndex: Rule.all.firstIndex { $0.id == finding.id },
        level: finding.severity.rawValue, message: .init(text: finding.message),
        locations: [
          .init(
            physicalLocation: place(index, image),
            logicalLocations: finding.locations.isEmpty ? nil : finding.locations.map(logical))
        ],
        partialFingerprints: [
          "ruleAndSubject/v1": fingerprint(number == 0 ? key : "\(key)|\(number)")
        ],
        properties: .init(
          advice: finding.advice, bootPaths: finding.paths,
          followsFrom: finding.followsFrom.map(\.text)))
    }
  }

  private static func place(_ index: Int, _ image: ImageReport) -> SARIFLog.PhysicalLocation {
    .init(artifactLocation: .init(uri: fileReference(image.path), index: index))
  }

  private static func logical(_ location: Location) -> SARIFLog.LogicalLocation {
    let symbol = location.symbol.map { "\($0)@" } ?? ""
    return .init(
      name: location.symbol, fullyQualifiedName: "\(location.image)!\(symbol)\(location.address)",
      kind: "function")
  }
}
