import KernelImage

/// The command line that a kernel parses early: what it is given, with what its build adds.
struct EffectiveCommandLine: Sendable {
  private let builtIn: String
  private let overrides: Bool
  /// What the boot image brings along (a unified kernel image's `.cmdline`).
  private let artefact: String
  /// The `kernel` keys of the embedded boot configuration; empty if there are none, or if the
  /// kernel reads them only when early parameters are done with.
  private let embedded: String
  private let embeddedIsForced: Bool
  /// What a report says of the embedded boot configuration; nil if there is none.
  let note: String?

  init(
    builtIn: String, overrides: Bool, artefact: String, embedded: String, embeddedIsForced: Bool
  ) {
    self.builtIn = builtIn
    self.overrides = overrides
    self.artefact = artefact
    self.embedded = embedded
    self.embeddedIsForced = embeddedIsForced
    note = nil
  }

  init(_ identity: Identity) {
    builtIn = identity.builtInCommandLine ?? ""
    overrides = identity.builtInOverrides ?? false
    artefact = identity.artefactCommandLine ?? ""
    // CONFIG_BOOT_CONFIG_FORCE is on by default where a boot configuration is embedded
    // (init/Kconfig).
    embeddedIsForced = identity.option("CONFIG_BOOT_CONFIG_FORCE") != "n"
    let rendered = identity.embeddedCommandLine?.trimmed
    let keys =
      rendered ?? identity.bootconfig.flatMap(BootConfiguration.init)?.commandLine(below: "kernel")
    guard let keys, !keys.isEmpty else {
      embedded = ""
      note = nil
      return
    }
    embedded = rendered ?? ""
    note =
      rendered == nil
      ? "the embedded boot configuration's \"\(keys)\" comes after early parameters, and has no part "
        + "in the choice"
      : "the embedded boot configuration puts \"\(keys)\" in front of "
        + (embeddedIsForced ? "every command line" : "a command line that says bootconfig")
  }

  /// COMMAND_LINE_SIZE (arch/x86/include/asm/setup.h).
  private static let capacity = 2048

  /// What a boot loader passes: the image's own line, unless the user wrote another.
  func passed(for line: CommandLine) -> String {
    (line.isLiteral ? [line.line] : [artefact, line.line]).filter { !$0.isEmpty }
      .joined(separator: " ")
  }

  /// setup_arch() puts CONFIG_CMDLINE in front of what the boot loader passes, or in its place,
  /// and what its build made of the boot configuration in front of both, if all of it fits
  /// (arch/x86/kernel/setup.c).
  func text(for line: CommandLine) -> String {
    // A line of the user's own takes the place of the image's; one of the matrix is added to it.
    let given = line.isLiteral ? [line.line] : [artefact, line.line]
    let parts = overrides && !builtIn.isEmpty ? [builtIn] : [builtIn] + given
    let text = parts.filter { !$0.isEmpty }.joined(separator: " ")
    let isRequested = embeddedIsForced || Self.asksForBootConfiguration(text)
    guard !embedded.isEmpty, isRequested,
      embedded.utf8.count + 1 + text.utf8.count < Self.capacity
    else { return text }
    return text.isEmpty ? embedded : "\(embedded) \(text)"
  }

  /// Whether `bootconfig` stands on a command line, in front of init's own arguments.
  private static func asksForBootConfiguration(_ text: String) -> Bool {
    text.split(whereSeparator: \.isWhitespace).prefix { $0 != "--" }
      .contains { $0.prefix { $0 != "=" } == "bootconfig" }
  }
}

extension String {
  fileprivate var trimmed: String {
    String(drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
  }
}
