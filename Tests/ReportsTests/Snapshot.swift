import Foundation
import Testing

/// Compares `text` with Tests/Snapshots/Reports/`name`, which is no part of the target, so that the
/// package need not list it.
///
/// With BHBCHECK_RENEW_SNAPSHOTS=1 in the environment the file is written instead; look at the
/// difference with `git diff` before it is committed.
func expectSnapshot(
  _ text: String, _ name: String, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  try expectFile(
    text,
    Snapshots.repository.appending(components: "Tests", "Snapshots", "Reports", name),
    sourceLocation: sourceLocation)
}

enum Snapshots {
  static let repository = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
}

/// Compares `text` with a file of the repository, or writes it anew, as for a snapshot.
func expectFile(
  _ text: String, _ file: URL, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  if ProcessInfo.processInfo.environment["BHBCHECK_RENEW_SNAPSHOTS"] == "1" {
    try Data(text.utf8).write(to: file)
    return
  }
  let expected = try String(contentsOf: file, encoding: .utf8)
  guard text != expected else { return }
  let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
  let expectedLines = expected.split(separator: "\n", omittingEmptySubsequences: false)
  let number = zip(lines, expectedLines).prefix { $0 == $1 }.count
  let found = number < lines.count ? String(lines[number]) : "(end)"
  let wanted = number < expectedLines.count ? String(expectedLines[number]) : "(end)"
  Issue.record(
    """
    \(file.lastPathComponent) differs at line \(number + 1)
    expected: \(wanted)
    found:    \(found)
    BHBCHECK_RENEW_SNAPSHOTS=1 swift test --filter ReportsTests writes it anew
    """, sourceLocation: sourceLocation)
}
