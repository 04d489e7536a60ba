/// What an image says about itself. What it does not say is nil.
public struct Identity: Sendable {
  /// The kernel release, as `uname -r` prints it.
  public let release: String?
  /// The line that begins with "Linux version ", without its line feed.
  public let banner: String?
  /// The build-id of the linker's note, in lower-case hex.
  public let buildID: String?
  /// `x86_64` or `i386`.
  public let architecture: String
  /// The size of the ELF file in bytes.
  public let size: Int
}
