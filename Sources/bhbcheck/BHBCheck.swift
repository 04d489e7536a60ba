import ArgumentParser
import Foundation
import Mitigation

/// The command line: one file a subcommand, no logic of its own.
@main
struct BHBCheck: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bhbcheck",
    abstract: "Which branch-history clearing sequence does a Linux kernel select?",
    discussion: """
      Runs an x86-64 kernel image's own boot code in a CPU emulator, once per boot path, and \
      reports which clearing sequence (short, long), hardware control or nothing each path selects.

      Exit status: 0 nothing found; 1 a finding of severity error (see --fail-on); 2 a boot path \
      that could not be determined; 64 usage; 65 an input that is not what it should be; 66 an \
      input that cannot be read; 69 a tool that is missing; 70 a fault of bhbcheck.
      """,
    version: tool.version,
    subcommands: [
      Inspect.self, Paths.self, DiffCommand.self, GateCommand.self, Generate.self,
      BootCommand.self, Mutate.self, AuditCommand.self,
    ])

  static let tool = Report.Tool(name: "bhbcheck", version: "0.1.0")

  static func main() {
    // A reader that goes away is then an error of write(2), which Output takes for what it is.
    signal(SIGPIPE, SIG_IGN)
    let arguments = Array(CommandLine.arguments.dropFirst())
    do {
      var command = try parseAsRoot(arguments)
      try command.run()
    } catch {
      end(with: error, arguments)
    }
  }

  /// Ends the process with the exit status of `error`, after its message.
  private static func end(with error: any Error, _ arguments: [String]) -> Never {
    var code = exitCode(for: error)
    // Otherwise an error that nobody foresaw would look like a finding.
    if code == .failure, !(error is ExitCode) { code = ExitCode(ExitStatus.internalError) }
    if arguments.contains(where: { $0.hasPrefix("--bisect") }),
      !GateCommand.bisectionStatuses.contains(code.rawValue)
    {
      // The parser's 64 among them: `git bisect run` would read it as *bad*.
      code = ExitCode(ExitStatus.bisectAbort)
    }
    if !(error is ExitCode) {
      let message = fullMessage(for: error)
      if exitCode(for: error).isSuccess {
        do { try Output.write(message + "\n") } catch { code = exitCode(for: error) }
      } else if !message.isEmpty {
        Output.complain(verbatim: message)
      }
    }
    Foundation.exit(code.rawValue)
  }
}
