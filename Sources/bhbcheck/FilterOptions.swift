import ArgumentParser
import Inspection
import Mitigation

/// The options that choose rows of the default matrix.
struct FilterOptions: ParsableArguments {
  @Option(help: ArgumentHelp("A processor's id; may be repeated.", valueName: "id"))
  var cpu: [String] = []

  @Option(help: ArgumentHelp("An environment's id; may be repeated.", valueName: "id"))
  var hypervisor: [String] = []

  @Option(help: "What the hypervisor says: silent, short-adequate or long-required.")
  var statement: [Statement] = []

  @Option(
    help: ArgumentHelp(
      "A command line, also an empty one, in place of the default list; may be repeated.",
      valueName: "line"))
  var cmdline: [String] = []

  /// Whether neither a processor nor what runs beneath it is chosen.
  var namesNoGuest: Bool { cpu.isEmpty && hypervisor.isEmpty && statement.isEmpty }

  var isEmpty: Bool { namesNoGuest && cmdline.isEmpty }

  var filter: MatrixFilter {
    MatrixFilter(
      processors: cpu, environments: hypervisor, statements: statement,
      literalCommandLines: cmdline)
  }
}
