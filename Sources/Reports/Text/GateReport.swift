public import Mitigation

/// What a gate says of an image, in one line.
public struct GateReport: Sendable {
  private let colour: Bool

  public init(colour: Bool = false) { self.colour = colour }

  /// `vmlinuz: failed: BHB002 The image has no long sequence; detection: no bit …; and 3 more`
  public func render(_ gate: GateResult, of path: String) -> String {
    var page = Page(colour: colour, width: nil)
    let word: Cell =
      switch gate.passed {
      case true?: Cell("passed", .good)
      case false?: Cell("failed", .bad)
      case nil: Cell("undecided", .caution)
      }
    let since = gate.baseline.map { " (baseline: \($0))" } ?? ""
    // What fails the image comes before what is only unknown.
    let reasons = gate.reasons.filter(\.fails) + gate.reasons.filter { !$0.fails }
    let texts = reasons.map { reason in
      let message = reason.message.hasSuffix(".") ? reason.message.dropLast() : reason.message[...]
      return (reason.rule.map { "\($0) " } ?? "") + message
    }
    let shown = texts.prefix(3).joined(separator: "; ")
    let rest = texts.count > 3 ? "; and \(texts.count - 3) more" : ""
    page.line(
      Cell("\(path): ", .heading), word, Cell(shown.isEmpty ? "" : ": \(shown)\(rest)"),
      Cell(since))
    return page.text
  }
}
