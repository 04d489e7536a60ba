import Mitigation

/// Why a patch, or a plan, cannot be used.
public struct PatchError: Error, Sendable, Hashable, CustomStringConvertible {
  public var file: String
  /// The line at fault, from 1; nil if it is the whole file.
  public var line: Int?
  public var message: String
  /// Whether the file could not be read at all.
  public var isMissing: Bool

  public init(file: String, line: Int? = nil, message: String, isMissing: Bool = false) {
    self.file = file
    self.line = line
    self.message = message
    self.isMissing = isMissing
  }

  public var description: String {
    line.map { "\(file):\($0): \(message)" } ?? "\(file): \(message)"
  }

  /// What a run that failed on it exits with.
  public var exitStatus: Int32 { isMissing ? ExitStatus.noInput : ExitStatus.dataError }
}
