/// A boot configuration, the structured form of a command line
/// (Documentation/admin-guide/bootconfig.rst).
struct BootConfiguration: Sendable {
  /// A word of a key, with its values and the words behind it, in the order of the text.
  private struct Node {
    var word: String
    var values: [String]?
    var children: [Node] = []
  }

  private var root = Node(word: "")

  /// nil where the kernel would refuse the text.
  init?(_ text: String) {
    var scanner = Scanner(text)
    guard let children = Self.block(&scanner, into: [], isNested: false) else { return nil }
    root.children = children
  }

  /// The keys below `prefix` as the kernel writes them on a command line: `key=value`, once for
  /// each value of an array, and the bare key where there is none (lib/bootconfig.c,
  /// xbc_snprint_cmdline).
  func commandLine(below prefix: String) -> String {
    guard let node = root.children.first(where: { $0.word == prefix }) else { return "" }
    return node.children.flatMap { Self.options($0, behind: "") }.joined(separator: " ")
  }

  private static func options(_ node: Node, behind prefix: String) -> [String] {
    let key = prefix.isEmpty ? node.word : "\(prefix).\(node.word)"
    var options: [String] = []
    if let values = node.values {
      options = values.isEmpty ? [key] : values.map { "\(key)=\(quoted($0))" }
    } else if node.children.isEmpty {
      options = [key]
    }
    return options + node.children.flatMap { Self.options($0, behind: key) }
  }

  private static func quoted(_ value: String) -> String {
    value.contains { $0 == " " || $0 == "\t" } ? "\"\(value)\"" : value
  }

  // MARK: Reading

  /// How deep blocks may be nested (XBC_DEPTH_MAX, include/linux/bootconfig.h).
  private static let depth = 16

  private static func block(
    _ scanner: inout Scanner, into known: [Node], isNested: Bool, level: Int = 0
  ) -> [Node]? {
    guard level <= depth else { return nil }
    var nodes = known
    while true {
      scanner.skipSeparators()
      guard let next = scanner.peek else { return isNested ? nil : nodes }
      if next == "}" {
        scanner.advance()
        return isNested ? nodes : nil
      }
      guard let words = scanner.key(), words.count <= depth,
        let changed = statement(&scanner, words[...], nodes, level: level)
      else { return nil }
      nodes = changed
    }
  }

  /// What stands behind a key: a block, values, or nothing.
  private static func statement(
    _ scanner: inout Scanner, _ words: ArraySlice<String>, _ nodes: [Node], level: Int
  ) -> [Node]? {
    guard let word = words.first else { return nil }
    var nodes = nodes
    let index =
      nodes.firstIndex { $0.word == word }
      ?? {
        nodes.append(Node(word: word))
        return nodes.count - 1
      }()
    guard words.count == 1 else {
      guard
        let children = statement(
          &scanner, words.dropFirst(), nodes[index].children, level: level + 1)
      else { return nil }
      nodes[index].children = children
      return nodes
    }
    scanner.skipBlanks()
    switch scanner.peek {
    case "{":
      scanner.advance()
      guard
        let children = block(
          &scanner, into: nodes[index].children, isNested: true, level: level + 1)
      else { return nil }
      nodes[index].children = children
    case "=", "+", ":":
      guard let operation = scanner.assignment(), let values = scanner.values() else { return nil }
      switch operation {
      // A key may be given a value only once.
      case "=":
        if nodes[index].values?.isEmpty == false {
          return nil
        } else {
          nodes[index].values = values
        }
      case "+=": nodes[index].values = (nodes[index].values ?? []) + values
      default: nodes[index].values = values
      }
    default:
      if nodes[index].values == nil { nodes[index].values = [] }
    }
    return nodes
  }
}

/// Walks over the text of a boot configuration.
private struct Scanner {
  private let text: [Character]
  private var position = 0

  init(_ text: String) { self.text = Array(text) }

  var peek: Character? { position < text.count ? text[position] : nil }

  mutating func advance() { position += 1 }

  private mutating func take(while isWanted: (Character) -> Bool) -> String {
    let start = position
    while let next = peek, isWanted(next) { position += 1 }
    return String(text[start..<position])
  }

  /// Spaces, not line ends.
  mutating func skipBlanks() { _ = take { $0 == " " || $0 == "\t" } }

  /// Blanks, line ends, semicolons and comments.
  mutating func skipSeparators() {
    while let next = peek {
      if next.isWhitespace || next == ";" {
        position += 1
      } else if next == "#" {
        _ = take { !$0.isNewline }
      } else {
        return
      }
    }
  }

  /// The words of a key; nil if there is none.
  mutating func key() -> [String]? {
    let key = take {
      $0 == "." || $0 == "-" || $0 == "_" || $0.isASCII && ($0.isLetter || $0.isNumber)
    }
    let words = key.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    return words.contains("") ? nil : words
  }

  /// `=`, `+=` or `:=`.
  mutating func assignment() -> String? {
    let sign = take { $0 == "=" || $0 == "+" || $0 == ":" }
    return ["=", "+=", ":="].contains(sign) ? sign : nil
  }

  /// Values between commas, up to a semicolon, a line end or a closing brace.
  mutating func values() -> [String]? {
    var values: [String] = []
    while true {
      skipBlanks()
      let isQuoted = peek == "\"" || peek == "'"
      if isQuoted, let quote = peek {
        advance()
        values.append(take { $0 != quote })
        guard peek == quote else { return nil }
        advance()
      } else {
        let value = take { $0 != "," && $0 != ";" && $0 != "}" && $0 != "#" && !$0.isNewline }
        values.append(String(value.reversed().drop { $0 == " " || $0 == "\t" }.reversed()))
      }
      skipBlanks()
      switch peek {
      case ",":
        advance()
        // An array may go on in the next line.
        while let next = peek, next.isWhitespace { _ = next; advance() }
      case nil, ";", "}", "#": return finished(values)
      case let next? where next.isNewline: return finished(values)
      default: return nil
      }
    }
  }

  /// A single empty value is none.
  private func finished(_ values: [String]) -> [String] { values == [""] ? [] : values }
}
