import ArgumentParser
import BootMachine
import Foundation
import Inspection
import KernelImage
import Mitigation
import PatchTests
import Reports

/// How a report of mutants is written.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
  case text, json
}

/// Options of every command that writes a report.
struct OutputOptions: ParsableArguments {
  @OptionGroup var written: ReportOptions

  @Option(help: "The lowest severity of a finding that makes the exit status 1.")
  var failOn: Severity = .error

  var chatter: Chatter { written.chatter }

  /// Inspects one image after the other.
  func report(on artefacts: [Artefact], by inspector: Inspector) -> [ImageReport] {
    artefacts.map { artefact in
      chatter.watch("inspecting \(artefact.path)") {
        inspector.report(on: artefact)
      } describe: { image in
        if let error = image.error { return "\(error.code.rawValue)" }
        return "symbols from \(image.symbolsFrom?.rawValue ?? "nowhere"), "
          + "\(image.paths.count) boot paths"
      }
    }
  }
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

  /// Writes all of `text`, or ends the run; a reader that has gone away is no error.
  static func write(_ text: String) throws {
    let bytes = Array(text.utf8)
    var written = 0
    while written < bytes.count {
      let count = bytes[written...].withUnsafeBytes {
        Foundation.write(STDOUT_FILENO, $0.baseAddress, $0.count)
      }
      if count >= 0 {
        written += count
      } else if errno == EPIPE {
        return
      } else if errno != EINTR {
        complain("standard output: \(String(cString: strerror(errno)))")
        throw ExitCode(ExitStatus.internalError)
      }
    }
  }

  /// One line on standard error.
  static func complain(_ line: String) { complain(verbatim: "bhbcheck: \(line)") }

  /// Text on standard error as it is; if that is gone, nobody reads it.
  static func complain(verbatim text: String) {
    try? FileHandle.standardError.write(contentsOf: Data("\(text)\n".utf8))
  }

  /// How far a long run is, where somebody looks on: a terminal gets it, a file does not.
  static func progress(_ line: String) {
    if isatty(STDERR_FILENO) == 1 { complain(line) }
  }

  /// Says on standard error what could not be inspected.
  static func complain(about report: Report) {
    for image in report.images { complain(about: image, given: image.path) }
  }

  /// The same of one image, which was given as `path`.
  static func complain(about image: ImageReport, given path: String) {
    guard let error = image.error else { return }
    let place = error.offset.map { " (at offset \(hexadecimal($0.value)))" } ?? ""
    complain("\(path): \(error.message)\(place)")
  }

  /// What `body` makes of the arguments; errors in what they name end the run.
  static func usable<Value>(_ body: () throws -> Value) throws -> Value {
    do {
      return try body()
    } catch let error as ImageError {
      complain(error.description)
      throw error.exitStatus
    } catch let error as DumpError {
      complain(error.description)
      throw ExitCode(ExitStatus.dataError)
    } catch let error as PatchError {
      complain(error.description)
      throw ExitCode(error.exitStatus)
    } catch let error as DataError {
      if error.kind == .unknownName { throw ValidationError(error.description) }
      complain(error.description)
      throw ExitCode(error.kind == .unreadable ? ExitStatus.noInput : ExitStatus.dataError)
    }
  }
}
