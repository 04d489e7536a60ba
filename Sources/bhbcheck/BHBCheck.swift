import ArgumentParser
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
    subcommands: [Inspect.self, Paths.self])

  static let tool = Report.Tool(name: "bhbcheck", version: "0.1.0")
}
