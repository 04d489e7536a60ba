/// Writes an XML 1.0 document, indented, attributes in the order given.
struct XMLWriter {
  private(set) var text: String
  private let depth: Int

  /// A document without an element.
  init() { self.init(text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", depth: 0) }

  private init(text: String, depth: Int) {
    self.text = text
    self.depth = depth
  }

  /// An element with what `body` writes into it.
  mutating func element(
    _ name: String, _ attributes: [(String, String)], _ body: (inout XMLWriter) -> Void
  ) {
    open(name, attributes)
    var inner = XMLWriter(text: "", depth: depth + 1)
    body(&inner)
    text += inner.text.isEmpty ? "/>\n" : ">\n\(inner.text)\(indentation)</\(name)>\n"
  }

  /// An element with text in it, or with nothing.
  mutating func element(_ name: String, _ attributes: [(String, String)] = [], text body: String) {
    open(name, attributes)
    text += body.isEmpty ? "/>\n" : ">\(Self.escaped(body, newline: "\n"))</\(name)>\n"
  }

  private mutating func open(_ name: String, _ attributes: [(String, String)]) {
    text += indentation + "<\(name)"
    for (name, value) in attributes { text += " \(name)=\"\(Self.escaped(value))\"" }
  }

  private var indentation: String { String(repeating: "  ", count: depth) }

  /// `text` for an attribute or between tags.
  ///
  /// XML 1.0 has no way to write most control characters, and none for U+FFFE and U+FFFF: the
  /// first are written out as text, as for a terminal. An attribute keeps line feeds by reference
  /// alone.
  static func escaped(_ text: String, newline: String = "&#10;") -> String {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    return lines.map { line in
      var result = ""
      for scalar in printable(String(line)).unicodeScalars {
        switch scalar {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\"": result += "&quot;"
        case "\u{fffe}", "\u{ffff}": result += "\u{fffd}"
        default: result.unicodeScalars.append(scalar)
        }
      }
      return result
    }.joined(separator: newline)
  }
}
