/// Says of each hunk of a series what it touches, and takes constants out of it.
public struct PatchRecognizer: Sendable {
  public private(set) var hunks: [TestPlan.Hunk] = []
  public private(set) var definitions: [TestPlan.Definition] = []
  /// Command lines that new words of options make.
  public private(set) var commandLines: [PlannedCommandLine] = []
  /// What bits the series defines, and where.
  var bits = DefinedBits()

  public init(_ patches: [KernelPatch]) {
    var options = OptionWords()
    for (number, patch) in patches.enumerated() {
      for (fileNumber, file) in patch.files.enumerated() {
        let isOfArea = Self.speaksOfArea(patch, file)
        for (hunkNumber, hunk) in file.hunks.enumerated() {
          let id = "\(number + 1).\(fileNumber + 1).\(hunkNumber + 1)"
          hunks.append(Self.placed(hunk, id, file, patch, isOfArea: isOfArea))
        }
      }
    }
    for patch in patches {
      for file in patch.files {
        // A text's example defines nothing.
        for hunk in file.hunks where !file.path.hasPrefix("Documentation/") {
          options.read(hunk)
          if let definition = bits.read(hunk, file, patch) { definitions += definition }
        }
      }
    }
    commandLines = options.commandLines
  }

  // MARK: Hunks

  private static func placed(
    _ hunk: PatchHunk, _ id: String, _ file: PatchedFile, _ patch: KernelPatch, isOfArea: Bool
  ) -> TestPlan.Hunk {
    var result = TestPlan.Hunk(
      id: id, patch: patch.name, line: hunk.number, file: file.path, section: hunk.section,
      placement: .placed, subjects: [], reason: "")
    let rule = AreaRules.files.first { rule in
      rule.path.hasSuffix("/") || rule.path.hasSuffix("Kconfig")
        ? file.path.hasPrefix(rule.path) : file.path == rule.path
    }
    let speaks = isOfArea || hunk.speaksOfArea
    guard speaks else {
      result.placement = .outOfScope
      result.reason = "nothing in it speaks of branch history or its mitigations"
      return result
    }
    guard let rule else {
      result.placement = hunk.speaksOfArea ? .unplaced : .outOfScope
      result.reason =
        hunk.speaksOfArea
        ? "it speaks of branch history in a file that nothing is known of"
        : "the file has no part in the choice, as far as is known"
      return result
    }
    var subjects: Set<PatchSubject> = []
    if rule.subject == .documentation || hunk.isComment {
      subjects = [.documentation]
    } else if rule.subject == .kvm {
      subjects = [.kvm]
    } else {
      for word in AreaRules.code where word.matches(hunk, file) { subjects.insert(word.subject) }
      if subjects.isEmpty || rule.subject != .site { subjects.insert(rule.subject) }
      if hunk.changesCounts { subjects = [.sequence] }
    }
    result.subjects = subjects.sorted()
    result.reason = result.subjects.map(AreaRules.reason).joined(separator: "; ")
    return result
  }

  /// Whether a patch's part of a file is of this area: then so are hunks of it that only prepare.
  private static func speaksOfArea(_ patch: KernelPatch, _ file: PatchedFile) -> Bool {
    file.hunks.contains(where: \.speaksOfArea) || AreaRules.speaks(patch.subject)
  }
}

extension AreaRules {
  static func speaks(_ text: String) -> Bool {
    let text = text.lowercased()
    return words.contains { text.contains($0) }
  }
}

extension AreaRules.WordRule {
  func matches(_ hunk: PatchHunk, _ file: PatchedFile) -> Bool {
    guard paths.isEmpty || paths.contains(where: file.path.hasPrefix) else { return false }
    return hunk.changed.contains { $0.text.contains(word) }
  }
}

extension PatchHunk {
  /// Whether a changed line, its surroundings or its function speak of branch history.
  var speaksOfArea: Bool {
    AreaRules.speaks(section) || lines.contains { AreaRules.speaks($0.text) }
  }

  /// Whether only comments change.
  var isComment: Bool {
    let texts = changed.map { $0.text.trimmed }.filter { !$0.isEmpty }
    return !texts.isEmpty
      && texts.allSatisfy { text in
        ["* ", "*\t", "/*", "*/", "//"].contains(where: text.hasPrefix) || text == "*"
      }
  }

  /// Whether it changes what a register is loaded with in assembly, as the sequence's counts are.
  var changesCounts: Bool {
    changed.contains { line in
      line.text.contains("movl") && line.text.contains("$") && line.text.contains("%e")
    }
  }
}

extension StringProtocol {
  /// Without blanks at both ends.
  var trimmed: String {
    let front = drop { $0 == " " || $0 == "\t" }
    return String(
      String(front.reversed()).drop { $0 == " " || $0 == "\t" || $0 == "\r" }.reversed())
  }
}
