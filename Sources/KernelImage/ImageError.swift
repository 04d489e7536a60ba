/// Why a file, or a member of a package, could not be used as a kernel image.
///
/// One line for people (`description`), and the fields of the report's `error` for machines.
public struct ImageError: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Code: String, Sendable, Hashable, CaseIterable {
    case notFound = "not-found"
    case noPermission = "no-permission"
    case unreadable = "unreadable"
    case unsupportedFormat = "unsupported-format"
    case wrongArchitecture = "wrong-architecture"
    case truncated = "truncated"
    case malformed = "malformed"
    case tooLarge = "too-large"
    case noKernel = "no-kernel"
    case failedLibrary = "library-failure"

    /// Whether the input was not there at all (exit status 66) rather than wrong (65).
    public var isMissingInput: Bool {
      switch self {
      case .notFound, .noPermission, .unreadable: true
      default: false
      }
    }
  }

  public var code: Code
  /// What was found and what was expected, in one line, without the path.
  public var message: String
  /// Where in the file (or in the named member) it was found, in bytes.
  public var offset: UInt64?
  /// The members that lead to the fault inside a package, outermost first.
  public var member: String?

  public init(_ code: Code, _ message: String, offset: UInt64? = nil, member: String? = nil) {
    self.code = code
    self.message = message
    self.offset = offset
    self.member = member
  }

  public var description: String {
    var line = member.map { "\($0): \(message)" } ?? message
    if let offset { line += " (at offset 0x\(String(offset, radix: 16)))" }
    return line
  }

  /// The same error, seen from the package that holds `member`.
  public func inside(_ member: String) -> ImageError {
    var error = self
    error.member = error.member.map { "\(member): \($0)" } ?? member
    return error
  }
}
