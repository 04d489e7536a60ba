/// What a piece of text means; a terminal shows it as a colour.
enum Style: Sendable, Hashable {
  case heading, good, caution, bad, quiet

  /// The SGR parameters of ECMA-48.
  fileprivate var parameters: String {
    switch self {
    case .heading: "1"
    case .good: "32"
    case .caution: "33"
    case .bad: "1;31"
    case .quiet: "2"
    }
  }
}

/// Text with one style.
struct Cell: Sendable, Hashable, ExpressibleByStringInterpolation {
  var text: String
  var style: Style?
  /// A further line of the same column of a table.
  var below: String?

  init(_ text: String, _ style: Style? = nil, below: String? = nil) {
    self.text = text
    self.style = style
    self.below = below
  }

  init(stringLiteral text: String) { self.init(text) }
}

/// Collects lines for a terminal or a file.
///
/// Nothing that comes from an image reaches the terminal as a control character: every text goes
/// through `printable` here, and only here are escape sequences made.
struct Page {
  private let colour: Bool
  private let width: Int?
  private(set) var text = ""

  init(colour: Bool, width: Int?) {
    self.colour = colour
    self.width = width
  }

  /// One line of cells, joined without a space between them. It is never wrapped.
  mutating func line(_ cells: Cell...) {
    text += cells.map { painted(printable($0.text), $0.style) }.joined() + "\n"
  }

  mutating func blank() { text += "\n" }

  /// A heading with an empty line before it, and what follows it on its line.
  mutating func heading(_ title: String, _ rest: String = "") {
    blank()
    line(Cell(title, .heading), Cell(rest.isEmpty ? "" : "  " + rest))
  }

  /// Text wrapped at the width, every line behind `indent` spaces.
  mutating func paragraph(_ content: String, indent: Int = 2, style: Style? = nil) {
    for part in wrapped(content, room: width.map { $0 - indent }) {
      text += spaces(indent) + painted(part, style) + "\n"
    }
  }

  /// Rows of a name and a value.
  mutating func facts(_ rows: [(String, Cell)], indent: Int = 2) {
    table(header: nil, rows.map { [Cell($0.0, .quiet), $0.1] }, indent: indent)
  }

  /// Rows in aligned columns with two spaces between them. The last column is wrapped; where the
  /// others leave it too little room, it goes below them.
  mutating func table(header: [String]?, _ rows: [[Cell]], indent: Int = 2) {
    let head = header.map { [$0.map { Cell($0, .quiet) }] } ?? []
    let lines = (head + rows).map { row in
      row.map { cell in
        (parts: ([cell.text] + [cell.below].compactMap(\.self)).map(printable), style: cell.style)
      }
    }
    let count = lines.map(\.count).max() ?? 0
    var widths = [Int](repeating: 0, count: count)
    for row in lines {
      for (column, cell) in row.enumerated() {
        widths[column] = max(widths[column], cell.parts.map(\.count).max() ?? 0)
      }
    }
    let lastColumn = indent + widths.dropLast().reduce(0) { $0 + $1 + 2 }
    let isBelow =
      width.map { count > 1 && lastColumn + min(widths.last ?? 0, leastRoom) > $0 } ?? false
    let lastIndent = isBelow ? indent + 4 : lastColumn
    for row in lines {
      var columns = row.map(\.parts)
      var last = [String]()
      if row.count == count, let cell = columns.popLast() {
        last = cell.flatMap { wrapped($0, room: width.map { $0 - lastIndent }) }
        if !isBelow { columns.append(last) }
      }
      for index in 0..<(columns.map(\.count).max() ?? 0) {
        var line = spaces(indent)
        var gap = 0
        for (column, parts) in columns.enumerated() {
          let part = index < parts.count ? parts[index] : ""
          // Spaces are owed until a text follows them, so that no line ends in one.
          if !part.isEmpty { line += spaces(gap) + painted(part, row[column].style) }
          gap = (part.isEmpty ? gap : 0) + widths[column] - part.count + 2
        }
        text += line + "\n"
      }
      if isBelow {
        for part in last where !part.isEmpty {
          text += spaces(lastIndent) + painted(part, row[count - 1].style) + "\n"
        }
      }
    }
  }

  private func painted(_ text: String, _ style: Style?) -> String {
    guard colour, let style, !text.isEmpty else { return text }
    return "\u{1b}[\(style.parameters)m\(text)\u{1b}[0m"
  }
}

/// The fewest characters in which text is wrapped.
private let leastRoom = 20

/// `text` in lines of at most `room` characters, broken at spaces; a longer word stays whole, so
/// that an address or an id can be copied. In less than `leastRoom` nothing is broken.
private func wrapped(_ text: String, room: Int?) -> [String] {
  let text = printable(text)
  guard let room, room >= leastRoom, text.count > room else { return [text] }
  var lines: [String] = []
  var line = ""
  for word in text.split(separator: " ") {
    if line.isEmpty {
      line = String(word)
    } else if line.count + 1 + word.count <= room {
      line += " " + word
    } else {
      lines.append(line)
      line = String(word)
    }
  }
  return lines + [line]
}

private func spaces(_ count: Int) -> String { String(repeating: " ", count: max(0, count)) }
