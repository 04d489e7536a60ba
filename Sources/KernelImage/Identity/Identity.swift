/// What an image says about itself. What it does not say is nil.
public struct Identity: Sendable {
  /// The kernel release, as `uname -r` prints it: the third word of the banner.
  public let release: String?
  /// The line that begins with "Linux version ", without its line feed.
  public let banner: String?
  /// The build-id of the linker's note, in lower-case hex.
  public let buildID: String?
  /// `x86_64` or `i386`.
  public let architecture: String
  /// The size of the ELF file in bytes.
  public let size: Int
  /// The command line of the boot image that the kernel was taken out of (a unified kernel image).
  public let artefactCommandLine: String?
  private let details: Lazy<Details>

  /// What takes a search through the image, and is made only when asked for.
  struct Details: Sendable {
    var configuration: Configuration?
    var commandLine: String?
    var bootconfig: String?
    var embeddedCommandLine: String?
  }

  init(
    banner: String?, buildID: String?, architecture: String, size: Int,
    artefactCommandLine: String?, details: Lazy<Details>
  ) {
    self.banner = banner
    self.buildID = buildID
    self.architecture = architecture
    self.size = size
    self.artefactCommandLine = artefactCommandLine
    self.details = details
    release = banner?.split(separator: " ").dropFirst(2).first.map(String.init)
  }

  /// Where the configuration was read; nil if there is none.
  public var configurationSource: Configuration.Source? { details.value.configuration?.source }

  /// The value of a configuration option such as `CONFIG_KVM`: `y`, `m`, a number, a text without
  /// its quotes, or `n` for one that is not set. Nil if there is no configuration, or if it does not
  /// name the option.
  public func option(_ name: String) -> String? { details.value.configuration?.value(of: name) }

  /// The command line that the build gives (CONFIG_CMDLINE), empty if it gives none; nil if neither
  /// the configuration nor the symbols tell.
  public var builtInCommandLine: String? { details.value.commandLine }

  /// Whether that command line replaces the boot loader's (CONFIG_CMDLINE_OVERRIDE); nil if no
  /// configuration tells.
  public var builtInOverrides: Bool? {
    guard let configuration = details.value.configuration else {
      // Without a command line of its own a build cannot override any.
      return builtInCommandLine == "" ? false : nil
    }
    return configuration.value(of: "CONFIG_CMDLINE_OVERRIDE") == "y"
  }

  /// The boot configuration that is built in (CONFIG_BOOT_CONFIG_EMBED); nil if there is none or
  /// the symbols do not tell.
  public var bootconfig: String? { details.value.bootconfig }

  /// What the build made of that boot configuration's `kernel` keys, for the kernel to put in front
  /// of its command line (CONFIG_CMDLINE_FROM_BOOTCONFIG); nil if it does not, or the symbols do not
  /// tell.
  public var embeddedCommandLine: String? { details.value.embeddedCommandLine }
}
