public import Mitigation

/// What the report says of Native Branch History Injection, as an OpenVEX document.
///
/// *Fixed* needs every boot path to be adequate; one inadequate path makes the image *affected*,
/// and what is not known leaves it *under investigation*. An image that could not be read has no
/// name to make a statement about, and gets one by its path.
public struct OpenVEXReport {
  /// The document, with a line feed at its end; nil if there is no image, because a document
  /// needs a statement.
  ///
  /// - Parameter timestamp: when the document is issued, as of RFC 3339: the format asks for it.
  /// - Throws: `EncodingError`, which no report can cause.
  public static func render(_ report: Report, timestamp: String) throws -> String? {
    var seen: Set<String> = []
    // A kernel that was given twice gets one statement: they have to differ.
    let statements = report.images.map(statement).filter {
      seen.insert("\($0.products.map(\.id)) \($0.statusNotes)").inserted
    }
    guard !statements.isEmpty else { return nil }
    let tooling = "\(report.tool.name) \(report.tool.version)"
    let key = try JSONReport.document(statements) + timestamp
    return try JSONReport.document(
      OpenVEXDocument(
        id: "urn:bhbcheck:vex:\(fingerprint(key))", author: report.tool.name,
        timestamp: timestamp, tooling: tooling, statements: statements))
  }

  private static let vulnerability = OpenVEXDocument.Vulnerability(
    id: "https://nvd.nist.gov/vuln/detail/CVE-2024-2201", name: "CVE-2024-2201",
    description: "Native Branch History Injection on x86 processors")

  private static func statement(_ image: ImageReport) -> OpenVEXDocument.Statement {
    var statement = OpenVEXDocument.Statement(
      vulnerability: vulnerability, products: [product(image)], status: .fixed,
      statusNotes: image.vexNotes)
    statement.status = image.vexStatus
    if statement.status == .affected {
      let leading = FindingGroup.groups(of: image.findings).map(\.leader)
        .filter { $0.severity == .error }
      let advice = distinct(leading.map(\.advice).filter { !$0.isEmpty })
      statement.actionStatement =
        advice.isEmpty
        ? "Use a kernel on which every boot path is adequate." : advice.joined(separator: " ")
    }
    return statement
  }

  private static func product(_ image: ImageReport) -> OpenVEXDocument.Product {
    var url = "pkg:generic/linux"
    if let release = image.kernel?.release { url += "@\(percentEncoded(release))" }
    // In the order of their names, as the specification of package URLs asks.
    var qualifiers: [String] = []
    if let architecture = image.kernel?.architecture {
      qualifiers.append("arch=\(percentEncoded(architecture.rawValue))")
    }
    if let buildID = image.kernel?.buildID {
      qualifiers.append("build_id=\(percentEncoded(buildID))")
    } else {
      qualifiers.append("file_name=\(percentEncoded(image.path))")
    }
    url += "?" + qualifiers.joined(separator: "&")
    return .init(
      id: url, identifiers: ["purl": url], hashes: image.sha256.map { ["sha-256": $0] })
  }
}

extension ImageReport {
  /// The verdict on a path of what concerns this vulnerability: the entry points into the kernel.
  /// The way back to user space after a guest ran belongs to another one (VMSCAPE).
  private func verdict(on path: JudgedPath) -> Verdict? {
    let verdicts = path.entryPoints.filter { $0.key.entersKernel }.map(\.value.verdict)
    if verdicts.contains(.inadequate) { return .inadequate }
    if path.outcome.undeterminedBecause != nil || verdicts.isEmpty { return .undetermined }
    if verdicts.contains(.undetermined) || verdicts.contains(nil) { return .undetermined }
    return .adequate
  }

  fileprivate var vexStatus: OpenVEXDocument.Status {
    guard error == nil else { return .underInvestigation }
    let verdicts = paths.map(verdict)
    if verdicts.contains(.inadequate) || sequence?.shape == .absent { return .affected }
    // A site that lacks on the paths that were run, or one that nobody could look at.
    // What its KVM says is about other kernels: those of its guests.
    let own = findings.filter { !$0.id.isAboutHosts }
    if own.contains(where: { $0.severity == .error && $0.id != .undetermined }) {
      return .affected
    }
    let isKnown = !paths.isEmpty && !verdicts.contains(.undetermined)
    return isKnown ? .fixed : .underInvestigation
  }

  fileprivate var vexNotes: String {
    if let error { return "Not inspected: \(error.message) (\(error.code.rawValue))." }
    var notes = "\(sentence(sequence.summary).dropLast()); "
    notes += paths.isEmpty ? "no boot path was run" : paths.summary
    notes += "; \(findings.summary)."
    if !unknownSites.isEmpty {
      notes +=
        " Not given, and so not judged: the files with the sites at "
        + unknownSites.map(\.rawValue).joined(separator: ", ") + "."
    }
    return notes
  }
}
