/// Writes text that comes from kernels and patches into the languages of generated files, so that
/// it stays text there.
enum Quoting {
  /// A string literal of C.
  static func cString(_ text: String) -> String {
    var result = "\""
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): result += "\\\""
      case UInt8(ascii: "\\"): result += "\\\\"
      // Two of them would begin a trigraph.
      case UInt8(ascii: "?"): result += "\\?"
      case 0x20...0x7E: result.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        // Always three digits, so that a digit behind it stays one of its own.
        let digits = String(byte, radix: 8)
        result += "\\" + String(repeating: "0", count: 3 - digits.count) + digits
      }
    }
    return result + "\""
  }

  /// One word of a POSIX shell.
  static func shell(_ text: String) -> String {
    "'" + text.replacing("\0", with: "").replacing("'", with: "'\\''") + "'"
  }

  /// A double-quoted scalar of YAML (1.2, 7.3.1), which is one of JSON's as well.
  static func yaml(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case " "..."~": result.unicodeScalars.append(scalar)
      default:
        for unit in String(scalar).utf16 {
          let digits = String(unit, radix: 16)
          result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
      }
    }
    return result + "\""
  }

  /// The inside of a comment of C.
  static func cComment(_ text: String) -> String {
    line(text).replacing("*/", with: "* /").replacing("/*", with: "/ *")
  }

  /// A comment to the end of a line, of shells and YAML; a line of a mail's body.
  static func line(_ text: String) -> String {
    String(
      String.UnicodeScalarView(
        text.unicodeScalars.map { scalar in
          switch scalar.properties.generalCategory {
          case .control, .lineSeparator, .paragraphSeparator, .format: " "
          default: scalar
          }
        }))
  }

  /// A line of a mail's body that no reader takes for the beginning of a diff.
  static func mail(_ text: String) -> String {
    let text = line(text)
    return ["diff ", "---", "+++", "@@", "Index:"].contains(where: text.hasPrefix)
      ? " " + text : text
  }

  /// Markdown without markup.
  static func markdown(_ text: String) -> String {
    var result = ""
    for character in line(text) {
      if "\\`*_{}[]<>|#&!".contains(character) { result += "\\" }
      result.append(character)
    }
    return result
  }

  /// The inside of a code span.
  static func code(_ text: String) -> String { line(text).replacing("`", with: "'") }
}
