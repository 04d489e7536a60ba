import Foundation
import Testing

@testable import PatchTests

/// Texts of kernels and patches are hostile input to every language that is written.
@Suite("Quoting") struct QuotingTests {
  static let hostile = [
    "plain", "it's", "$(touch /tmp/x) `id` ${HOME} \\", "a\nb\r\tc", "\"; system(\"id\"); //",
    "*/ int x; /*", "%s%n %d", "??/ ??=", "ä€😀\u{2028}\u{202E}", "--- a/x", "{{ tool }} {% if %}",
    "# comment: - [x] {y}", "\u{1B}[31m", "'\\''", "-n", "",
  ]

  @Test(arguments: hostile)
  func shellWordsAreThemselves(text: String) throws {
    let word = Quoting.shell(text)
    #expect(try run("/bin/sh", ["-c", "printf %s \(word)"]) == text)
  }

  @Test(arguments: hostile)
  func yamlScalarsAreJSON(text: String) throws {
    let value = try JSONSerialization.jsonObject(
      with: Data(Quoting.yaml(text).utf8), options: .fragmentsAllowed)
    #expect(value as? String == text)
  }

  @Test(arguments: hostile)
  func cStringsStayOneLineOfASCII(text: String) {
    let literal = Quoting.cString(text)
    #expect(literal.utf8.allSatisfy { (0x20...0x7E).contains($0) })
    // Without its escapes no quote is left inside, and no trigraph.
    let inside = literal.dropFirst().dropLast().replacing("\\\\", with: "")
      .replacing("\\\"", with: "")
    #expect(!inside.contains("\""))
    #expect(!literal.contains("??"))
  }

  @Test(arguments: hostile)
  func commentsAndLinesEndWhereTheyShould(text: String) {
    #expect(!Quoting.cComment(text).contains("*/"))
    for quoted in [Quoting.line(text), Quoting.mail(text), Quoting.code(text)] {
      #expect(!quoted.contains { $0.isNewline })
    }
    #expect(!Quoting.mail(text).hasPrefix("---"))
  }

  private func run(_ program: String, _ arguments: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    return String(decoding: data, as: UTF8.self)
  }
}
