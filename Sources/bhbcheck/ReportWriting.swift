import ArgumentParser
import Foundation
import Mitigation
import Reports

/// How a report of images is written.
enum ReportFormat: String, ExpressibleByArgument, CaseIterable {
  case text, json, html, sarif, junit, ktap, openvex, dot

  /// Whether it shows what the kernel was answered on the way, and the bytes that it patched.
  var showsTraces: Bool { self == .html || self == .dot }
}

/// How a comparison is written.
enum DiffFormat: String, ExpressibleByArgument, CaseIterable {
  case text, json, html
}

/// A file that a report goes into as well, as the command line writes it.
struct ReportFile: ExpressibleByArgument {
  var format: ReportFormat
  var path: String

  init?(argument: String) {
    let parts = argument.split(separator: "=", maxSplits: 1)
    guard parts.count == 2, let format = ReportFormat(rawValue: String(parts[0])) else {
      return nil
    }
    self.format = format
    path = String(parts[1])
  }
}

/// How much is said beside the report.
struct Chatter: ParsableArguments {
  @Flag(name: .shortAndLong, help: "As text one line an image, and no progress.")
  var quiet = false

  @Flag(name: .shortAndLong, help: "Say on standard error what was done, and how long it took.")
  var verbose = false

  func validate() throws {
    if quiet, verbose { throw ValidationError("--quiet and --verbose contradict each other") }
  }

  /// What `body` makes; while it takes long, a terminal says so.
  ///
  /// - Parameter describe: what `--verbose` says of the result.
  func watch<Value>(
    _ words: String, _ body: () throws -> Value, describe: (Value) -> String = { _ in "done" }
  ) rethrows -> Value {
    let clock = ContinuousClock()
    let start = clock.now
    let value = try quiet ? body() : Output.progress(words, body)
    if verbose { Output.complain("\(words): \(describe(value)) in \(clock.now - start)") }
    return value
  }
}

/// Options of every command that writes a report of images.
struct ReportOptions: ParsableArguments {
  @Option(
    help: """
      How to write the report: text, json, html (one page, for people), sarif, junit, ktap, \
      openvex, or dot (the decision tree, for Graphviz).
      """)
  var format: ReportFormat = .text

  @Option(
    name: .customLong("report"),
    help: ArgumentHelp(
      "Also write it into a file, as in html=report.html; may be repeated.",
      valueName: "format=file"))
  var files: [ReportFile] = []

  @OptionGroup var chatter: Chatter

  /// Whether boot paths have to be run with a trace.
  var needsTraces: Bool { ([format] + files.map(\.format)).contains(where: \.showsTraces) }

  /// Writes the report everywhere it was asked for.
  ///
  /// - Parameters:
  ///   - text: the text, which differs from command to command.
  ///   - wantsTraces: whether traces were asked for in every format that has a place for them.
  func write(
    _ report: Report, failOn: Severity, wantsTraces: Bool = false, text: (Report) -> String
  ) throws {
    var plain = report
    if needsTraces, !wantsTraces {
      for index in plain.images.indices { plain.images[index].leaveOutTraces() }
    }
    func document(_ format: ReportFormat) throws -> String {
      let report = format.showsTraces ? report : plain
      return switch format {
      case .text: text(report)
      case .json: try JSONReport.render(report)
      case .html: try HTMLReport.render(report)
      case .sarif: try SARIFReport.render(report)
      case .junit: JUnitReport.render(report, failOn: failOn)
      case .ktap: KTAPReport.render(report, failOn: failOn)
      case .openvex: try OpenVEXReport.render(report, timestamp: Self.timestamp) ?? ""
      case .dot: DotReport.render(report)
      }
    }
    for file in files { try Output.write(try document(file.format), to: file.path) }
    try Output.write(try document(format))
  }

  /// The time for the one format that demands it: SOURCE_DATE_EPOCH, so that a build can be
  /// repeated (reproducible-builds.org), else now.
  private static var timestamp: String {
    let fixed = ProcessInfo.processInfo.environment["SOURCE_DATE_EPOCH"].flatMap { Double($0) }
    let date = fixed.map { Date(timeIntervalSince1970: $0) } ?? Date()
    return date.formatted(.iso8601)
  }
}

extension ImageReport {
  fileprivate mutating func leaveOutTraces() {
    for index in paths.indices { paths[index].outcome.trace = nil }
  }
}

extension Output {
  /// What `body` makes; after a second a terminal shows what it waits for, until it is there.
  static func progress<Value>(_ words: String, _ body: () throws -> Value) rethrows -> Value {
    guard isatty(STDERR_FILENO) == 1 else { return try body() }
    let queue = DispatchQueue(label: "bhbcheck.progress")
    let timer = DispatchSource.makeTimerSource(queue: queue)
    let start = ContinuousClock().now
    // Names come from the command line and from archives: nothing of them drives the terminal.
    let line = printable(words)
    timer.schedule(deadline: .now() + 1, repeating: 0.5)
    timer.setEventHandler {
      let seconds = (ContinuousClock().now - start).components.seconds
      show("\r\u{1b}[K\(line) … \(seconds) s")
    }
    timer.resume()
    defer {
      timer.cancel()
      // On the timer's own queue, so that no line comes after it.
      queue.sync { if ContinuousClock().now - start > .seconds(1) { show("\r\u{1b}[K") } }
    }
    return try body()
  }

  private static func show(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }

  /// Writes a file, or ends the run.
  static func write(_ text: String, to path: String) throws {
    do {
      try Data(text.utf8).write(to: URL(filePath: path))
    } catch {
      let reason = (error as NSError).localizedDescription
      complain("\(path): cannot be written: \(reason)")
      throw ExitCode(ExitStatus.internalError)
    }
  }
}
