import ArgumentParser
import Foundation
import Mitigation
import Reports

/// How a report is written.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
  case text, json
}

/// Options of every command that writes a report.
struct OutputOptions: ParsableArguments {
  @Option(help: "How to write the report: text or json.")
  var format: OutputFormat = .text

  @Option(help: "The lowest severity of a finding that makes the exit status 1.")
  var failOn: Severity = .error
}

/// Standard output and standard error.
enum Output {
  /// Whether text may be coloured: a terminal, and nobody set NO_COLOR (no-color.org).
  static var usesColour: Bool {
    let silenced = ProcessInfo.processInfo.environment["NO_COLOR"].map { !$0.isEmpty } ?? false
    return !silenced && isatty(STDOUT_FILENO) == 1
  }

  /// The columns of the terminal; nil where output is not one.
  static var width: Int? {
    guard isatty(STDOUT_FILENO) == 1 else { return nil }
    return ProcessInfo.processInfo.environment["COLUMNS"].flatMap { Int($0) }
  }

  /// Writes all of `text`, or fails; a reader that has gone away is no error.
  static func write(_ text: String) throws {
    do {
      try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    } catch let error as CocoaError where error.underlying?.code == Int(EPIPE) {
      return
    }
  }

  /// One line on standard error.
  static func complain(_ line: String) {
    FileHandle.standardError.write(Data("bhbcheck: \(line)\n".utf8))
  }

  /// Says on standard error what could not be inspected.
  static func complain(about report: Report) {
    for image in report.images {
      guard let error = image.error else { continue }
      let place = error.offset.map { " (at offset \(hexadecimal($0.value)))" } ?? ""
      complain("\(image.path): \(error.message)\(place)")
    }
  }
}

extension CocoaError {
  fileprivate var underlying: NSError? { userInfo[NSUnderlyingErrorKey] as? NSError }
}
