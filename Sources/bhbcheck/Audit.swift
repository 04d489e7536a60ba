import ArgumentParser
import Audit
import Foundation
import Inspection
import Mitigation

struct AuditCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract: "Many kernels at once: inspects them, and remembers what it has seen.",
    discussion: """
      Each kernel is a row in a database; one whose content was inspected before is not inspected \
      again. A run that was interrupted and is started again goes on where it was.
      """,
    subcommands: [Run.self, Show.self, Since.self, Merge.self], defaultSubcommand: Run.self)

  /// Where rows are kept.
  struct Store: ParsableArguments {
    @Option(
      help: ArgumentHelp(
        "The database; by default audit.sqlite in XDG_STATE_HOME/bhbcheck.", valueName: "file"))
    var database: String?

    func open() throws -> AuditDatabase {
      try Output.audited { () throws(AuditError) in
        try AuditDatabase(file: database ?? Self.standard)
      }
    }

    private static var standard: String {
      let environment = ProcessInfo.processInfo.environment
      let state = environment["XDG_STATE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
      return (state ?? (environment["HOME"] ?? "") + "/.local/state") + "/bhbcheck/audit.sqlite"
    }
  }

  enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }
}

extension AuditCommand {
  struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Inspects kernels (the default subcommand).",
      discussion: """
        Exit status: 0 unless the run itself failed; what is wrong with a kernel is in its row.
        """)

    @Argument(
      help: ArgumentHelp(
        "Files, and folders that are searched for kernels and packages; - reads a list from stdin.",
        valueName: "path"))
    var paths: [String]

    @OptionGroup var judging: JudgingOptions
    @OptionGroup var store: Store

    @Option(
      help: ArgumentHelp("Only the K-th of N parts, by the names of the files.", valueName: "K/N"))
    var shard: Shard?

    @Option(help: "One line a kernel: text, or json (NDJSON).")
    var format: Format = .text

    @Option(name: .shortAndLong, help: "How many kernels at a time; by default one a core.")
    var jobs = ProcessInfo.processInfo.activeProcessorCount

    @Flag(
      inversion: .prefixedNo,
      help: "Flip the bits that a hypervisor answers, to find those that the images listen to.")
    var discover = true

    func run() throws {
      var names: [String] = []
      for path in paths {
        if path != "-" {
          names.append(path)
          continue
        }
        while let line = readLine() { if !line.isEmpty { names.append(line) } }
      }
      let (inspector, basis) = try Output.usable {
        let catalog = try judging.data.catalog()
        let discovery =
          discover ? Discovery(catalog, asked: try judging.contract(of: catalog)) : nil
        let inspector = Inspector(
          matrix: try judging.matrix(catalog), policy: try judging.policy(of: catalog),
          discovery: discovery)
        let overrides = try catalog.reported.map { "\($0.file) \($0.hash)" }
        return (
          inspector,
          ([
            BHBCheck.tool.version, judging.policyID, judging.contract ?? "", "\(discover)",
          ] + overrides).joined(separator: "\n")
        )
      }
      let auditor = Auditor(
        database: try store.open(), inspector: inspector, basis: basis, jobs: jobs)
      let files = AuditFiles(names, shard: shard)
      let format = format
      let meter = AuditMeter()
      try Output.audited { () throws(AuditError) in
        try auditor.run(files) { rows, progress in
          meter.clear()
          for row in rows {
            switch format {
            case .text: try? Output.write(row.text + "\n")
            case .json: try? Output.write((try? row.line) ?? "")
            }
          }
          meter.show(progress)
        }
      }
      meter.clear()
    }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "report",
      abstract: "What a run saw: by distribution, version or finding.")

    @OptionGroup var store: Store

    @Option(help: "What to count by: distribution, version or finding.")
    var by: AuditSummary.Grouping = .distribution

    @Option(
      name: .customLong("run"),
      help: ArgumentHelp("The run; by default the last one.", valueName: "number"))
    var number: Int64?

    @Option(help: "text, json, or html (a page with every row).")
    var format: SummaryFormat = .text

    enum SummaryFormat: String, ExpressibleByArgument, CaseIterable { case text, json, html }

    func run() throws {
      let database = try store.open()
      let summary = try Output.audited { () throws(AuditError) in
        try database.summary(of: number)
      }
      if let progress = summary.unfinished {
        Output.complain("\(database.file): that run was not finished: \(progress.text)")
      }
      switch format {
      case .text: try Output.write(summary.text(by: by))
      case .json: try Output.write(try summary.json(by: by))
      case .html: try Output.write(AuditPage(summary).html)
      }
    }
  }

  struct Since: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract:
        "What changed from one run to another; by default from the last but one to the last."
    )

    @Argument(help: ArgumentHelp("The earlier run.", valueName: "number"))
    var earlier: Int64?

    @Argument(help: ArgumentHelp("The later run.", valueName: "number"))
    var later: Int64?

    @OptionGroup var store: Store

    @Option(help: "One line a change: text, or json (NDJSON).")
    var format: Format = .text

    func run() throws {
      let database = try store.open()
      let changes = try Output.audited { () throws(AuditError) in
        let runs = try database.runs()
        guard let last = later ?? runs.last,
          let first = earlier ?? runs.last(where: { $0 < last })
        else { throw AuditError(file: database.file, message: "holds fewer than two runs") }
        return try database.changes(from: first, to: last)
      }
      for change in changes {
        try Output.write(format == .text ? change.text + "\n" : try change.line)
      }
    }
  }

  struct Merge: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Adds what other databases hold, such as those of shards, as one run.")

    @Argument(help: ArgumentHelp("The databases to add.", valueName: "file"))
    var others: [String]

    @OptionGroup var store: Store

    func run() throws {
      let found = try Output.audited { () throws(AuditError) in
        for other in others where !FileManager.default.fileExists(atPath: other) {
          throw AuditError(file: other, message: "No such file or directory")
        }
        var found: [AuditDatabase] = []
        for other in others { found.append(try AuditDatabase(file: other)) }
        return found
      }
      let database = try store.open()
      try Output.audited { () throws(AuditError) in
        for other in found {
          if let progress = try other.summary().unfinished {
            Output.complain("\(other.file): its last run was not finished: \(progress.text)")
          }
        }
        try database.merge(found)
      }
    }
  }
}

extension Output {
  /// What `body` makes; a database that cannot be used ends the run.
  fileprivate static func audited<Value>(_ body: () throws(AuditError) -> Value) throws -> Value {
    do throws(AuditError) {
      return try body()
    } catch {
      complain(error.description)
      throw ExitCode(ExitStatus.internalError)
    }
  }
}

/// How far a run is, on a terminal's standard error.
final class AuditMeter: Sendable {
  private let start = ContinuousClock().now
  private let isShown = isatty(STDERR_FILENO) == 1

  func show(_ progress: Auditor.Progress) {
    guard isShown, progress.done > 0, progress.done < progress.total else { return }
    let seconds = (ContinuousClock().now - start) / .seconds(1)
    let left = seconds / Double(progress.done) * Double(progress.total - progress.done)
    write("\(progress.done) of \(progress.total), about \(Int(left.rounded(.up))) s left")
  }

  func clear() { if isShown { write("\u{1B}[2K\r") } }

  private func write(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data((text + "\r").utf8))
  }
}
