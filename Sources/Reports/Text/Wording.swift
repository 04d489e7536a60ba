import Mitigation

/// The word for a value that is not known.
let unknown = "unknown"

func yesOrNo(_ value: Bool?) -> String {
  switch value {
  case true?: "yes"
  case false?: "no"
  case nil: unknown
  }
}

/// `a`, `a and b`, `a, b and c`.
func enumerated(_ words: [String]) -> String {
  guard let last = words.last else { return "" }
  let others = words.dropLast()
  return others.isEmpty ? last : others.joined(separator: ", ") + " and " + last
}

/// The first `limit` words, and how many more there are.
func abridged(_ words: [String], limit: Int) -> String {
  // Naming one more takes no more room than counting it.
  guard words.count > limit + 1 else { return words.joined(separator: ", ") }
  return words.prefix(limit).joined(separator: ", ") + " and \(words.count - limit) more"
}

/// A command line in quotes, so that its ends are seen.
func quoted(_ text: String) -> String { text.isEmpty ? "empty" : "\"\(text)\"" }

extension Verdict {
  var style: Style {
    switch self {
    case .adequate: .good
    case .excessive, .undetermined: .caution
    case .inadequate: .bad
    }
  }
}

extension Verdict? {
  /// The verdict's cell in a table; a path that no policy judged has none.
  var cell: Cell { map { Cell($0.rawValue, $0.style) } ?? "not judged" }
}

extension Severity {
  var style: Style {
    switch self {
    case .note: .quiet
    case .warning: .caution
    case .error: .bad
    }
  }
}

extension Requirement {
  var words: String {
    switch self {
    case .nothing: "nothing"
    case .optedOut: "nothing (opted out)"
    case .hardware: "hardware"
    case .retpoline: "retpoline"
    case .shortOrLong: "short or long"
    case .long: "long"
    }
  }
}

extension SequenceShape {
  var words: String {
    switch self {
    case .immediate: "counts are constants in its code"
    case .alternative: "an alternative inside it exchanges the counts"
    case .variable: "counts come from memory that boot code may write"
    case .caller: "its callers pass the counts"
    case .absent: "absent"
    }
  }
}

extension SequenceVariant {
  /// `5x5`; an unknown count is a question mark.
  var counts: String {
    "\(outer.map(String.init) ?? "?")x\(inner.map(String.init) ?? "?")"
  }
}

extension ClearingSequence? {
  /// Which sequences an image has, for its verdict line.
  var summary: String {
    guard let self else { return "sequence unknown" }
    guard self.shape != .absent else { return "no clearing sequence" }
    let kinds = [SequenceClass.deficient, .short, .long].compactMap { kind -> String? in
      let counts = self.variants.filter { $0.sequenceClass == kind }.map(\.counts)
      return counts.isEmpty ? nil : "\(kind.rawValue) (\(distinct(counts).joined(separator: ", ")))"
    }
    let hasUnknown =
      self.variants.isEmpty || self.variants.contains { $0.sequenceClass == nil }
    if kinds.isEmpty { return "a sequence of unknown counts" }
    if hasUnknown { return enumerated(kinds + ["unknown"]) + " sequences" }
    return kinds.count == 1 ? "\(kinds[0]) sequence only" : enumerated(kinds) + " sequences"
  }
}

/// The elements in the order of their first appearance.
func distinct<Element: Hashable>(_ elements: [Element]) -> [Element] {
  var seen: Set<Element> = []
  return elements.filter { seen.insert($0).inserted }
}
