/// `text` with everything that a terminal would obey written out: control characters, line
/// separators and the marks that change the direction of writing.
public func printable(_ text: String) -> String {
  guard text.unicodeScalars.contains(where: isControl) else { return text }
  var result = ""
  for scalar in text.unicodeScalars {
    if !isControl(scalar) {
      result.unicodeScalars.append(scalar)
    } else if scalar.value < 0x100 {
      result += scalar.value < 0x10 ? "\\x0" : "\\x"
      result += String(scalar.value, radix: 16)
    } else {
      result += "\\u{" + String(scalar.value, radix: 16) + "}"
    }
  }
  return result
}

/// `text` for an element's content or an attribute in quotes: no browser takes it for markup.
public func markup(_ text: String) -> String {
  printable(text).replacing("&", with: "&amp;").replacing("<", with: "&lt;")
    .replacing(">", with: "&gt;").replacing("\"", with: "&quot;").replacing("'", with: "&#39;")
}

private func isControl(_ scalar: Unicode.Scalar) -> Bool {
  if scalar.value < 0x7f { return scalar.value < 0x20 }
  return switch scalar.properties.generalCategory {
  case .control, .format, .lineSeparator, .paragraphSeparator: true
  default: false
  }
}
