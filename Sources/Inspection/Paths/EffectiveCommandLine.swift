import KernelImage

/// The command line that a kernel parses: what it is given, with what its build adds.
struct EffectiveCommandLine: Sendable {
  private let builtIn: String
  private let overrides: Bool
  /// What the boot image brings along (a unified kernel image's `.cmdline`).
  private let artefact: String

  init(_ identity: Identity) {
    builtIn = identity.builtInCommandLine ?? ""
    overrides = identity.builtInOverrides ?? false
    artefact = identity.artefactCommandLine ?? ""
  }

  /// setup_arch() puts CONFIG_CMDLINE in front of what the boot loader passes, or in its place
  /// (arch/x86/kernel/setup.c).
  func text(for line: CommandLine) -> String {
    // A line of the user's own takes the place of the image's; one of the matrix is added to it.
    let given = line.isLiteral ? [line.line] : [artefact, line.line]
    let parts = overrides && !builtIn.isEmpty ? [builtIn] : [builtIn] + given
    return parts.filter { !$0.isEmpty }.joined(separator: " ")
  }
}
