public import Mitigation

/// The report as a page for people: findings, the decision table as a grid, the sequence and its
/// sites drawn, and everything known of a boot path beside it.
///
/// Boot paths that were run with a trace show their patched bytes, and what the kernel was answered
/// on the way decides what the decision tree asks.
public struct HTMLReport {
  /// The page.
  ///
  /// - Throws: `EncodingError`, which no report can cause.
  public static func render(_ report: Report) throws -> String {
    var shown = report
    for index in shown.images.indices { shown.images[index].leaveOutTraces() }
    let data = Data(
      report: shown, rules: Rule.all, images: report.images.map(ImageWords.init))
    let names = report.images.map(\.path).joined(separator: ", ")
    return HTMLPage.render(
      title: "bhbcheck: \(names.isEmpty ? "no image" : names)", data: try SharedJSON.render(data),
      scripts: [
        PackageResources.evidence_js, PackageResources.drawings_js, PackageResources.report_js,
      ])
  }

  private struct Data: Encodable {
    var report: Report
    var rules: [Rule]
    /// In the order of the report's images.
    var images: [ImageWords]
  }

  /// What the text report says of an image, so that the page need not say it in its own words.
  private struct ImageWords: Encodable {
    var sequence: String
    var paths: String
    var tree: DecisionTree
    /// In the order of the image's paths.
    var words: [PathWords]
    /// What KVM says on hosts; nil where it was not asked.
    var hosts: HostWords?

    init(_ image: ImageReport) {
      sequence = image.sequence.summary
      paths = image.paths.isEmpty ? "no boot path was run" : image.paths.summary
      tree = DecisionTree(image.paths)
      words = image.paths.map(PathWords.init)
      hosts = image.host.map(HostWords.init)
    }
  }

  private struct HostWords: Encodable {
    var summary: String
    var header: [String]
    var rows: [[String]]

    init(_ host: HostReport) {
      let table = HostTable(host.hosts)
      summary = host.summary
      header = HostTable.header
      rows = table.rows.map { row in
        table.words(of: row)
          + [row.example.undeterminedBecause.map { "undetermined: \($0)" } ?? ""]
      }
    }
  }

  private struct PathWords: Encodable {
    var protection: String
    /// What the kernel was answered; empty without a trace.
    var inputs: [String: String]

    init(_ path: JudgedPath) {
      protection = path.protection
      let inputs = path.outcome.trace == nil ? [:] : path.inputs
      self.inputs = .init(
        uniqueKeysWithValues: inputs.compactMap { input, answer in
          // The page shows these as the path's own parts.
          [.statement, .commandLine, .environment, .cpu].contains(input)
            ? nil : (input.rawValue, answer)
        })
    }
  }
}

extension ImageReport {
  /// Leaves of the traces what a page can show: whole ones of all paths are 20 MB.
  fileprivate mutating func leaveOutTraces() {
    for index in paths.indices {
      paths[index].outcome.trace?.functions = []
      paths[index].outcome.trace?.cpuid = []
      paths[index].outcome.trace?.log = []
      paths[index].outcome.trace?.msrs.removeAll { $0.kind == .read }
    }
  }
}
