import Foundation
import Mitigation

/// The words that options of the command line newly take.
struct OptionWords {
  /// Option and word, in the order they were found.
  private var found: [(option: String, word: String, inList: Bool)] = []

  /// Looks for words that added code compares with, and removed code does not.
  mutating func read(_ hunk: PatchHunk) {
    guard let option = Self.option(of: hunk) else { return }
    let removed = Set(hunk.removed.flatMap { Self.compared($0.text) })
    // A function that cuts its argument at commas takes several words.
    let isList = hunk.lines.contains { $0.kind != .removed && $0.text.contains("strsep(") }
    for word in hunk.added.flatMap({ Self.compared($0.text) })
    where !removed.contains(word)
      && !found.contains(where: { $0.option == option && $0.word == word })
    {
      found.append((option, word, isList))
    }
  }

  /// The option that a hunk's function reads: `spectre_bhi_parse_cmdline` reads `spectre_bhi`.
  private static func option(of hunk: PatchHunk) -> String? {
    for text in [hunk.section] + hunk.lines.map(\.text) {
      if let end = text.range(of: "_parse_cmdline") {
        let name = text[..<end.lowerBound].reversed().prefix { isWord($0) }
        if !name.isEmpty { return String(name.reversed()) }
      }
      if let start = text.range(of: "early_param(\"") {
        let name = text[start.upperBound...].prefix { isWord($0) }
        if !name.isEmpty { return String(name) }
      }
    }
    return nil
  }

  /// The words in `!strcmp(str, "word")`.
  private static func compared(_ line: String) -> [String] {
    var words: [String] = []
    var rest = Substring(line)
    while let start = rest.range(of: "strcmp(") {
      rest = rest[start.upperBound...]
      guard let quote = rest.firstIndex(of: "\"") else { break }
      let word = rest[rest.index(after: quote)...].prefix { $0 != "\"" }
      // Nothing that a boot loader, or a shell, would take for more than a word.
      if !word.isEmpty, word.allSatisfy({ isWord($0) || $0 == "-" }) { words.append(String(word)) }
    }
    return words
  }

  private static func isWord(_ character: Character) -> Bool {
    character == "_" || character.isASCII && (character.isLetter || character.isNumber)
  }

  /// One command line for each, and one with it behind `vmexit` where lists are taken.
  var commandLines: [PlannedCommandLine] {
    found.flatMap { option, word, inList in
      var lines = [
        PlannedCommandLine(
          name: "\(option)-\(word)", line: "\(option)=\(word)", switchesOff: [],
          reason: "the patch adds this word")
      ]
      if inList, option == "spectre_bhi" {
        lines.append(
          PlannedCommandLine(
            name: "\(option)-vmexit-\(word)", line: "\(option)=vmexit,\(word)",
            switchesOff: [.userToKernel],
            reason: "the patch adds this word, and has a list of them"))
      }
      return lines
    }
  }
}
