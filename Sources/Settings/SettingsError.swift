/// Why a settings file could not be used.
public struct SettingsError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The file, as it was given or found.
  public var file: String
  /// The line, from 1; nil if the fault has no place.
  public var line: Int?
  public var message: String
  /// Whether the file could not be read at all, rather than says something wrong.
  public var isMissing: Bool

  init(_ file: String, line: Int? = nil, _ message: String, isMissing: Bool = false) {
    self.file = file
    self.line = line
    self.message = message
    self.isMissing = isMissing
  }

  public var description: String {
    file + (line.map { ":\($0)" } ?? "") + ": " + message
  }
}
