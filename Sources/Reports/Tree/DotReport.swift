public import Mitigation

/// The decision trees of a report's images in the language of Graphviz: `dot -Tsvg` draws them.
public struct DotReport {
  private var text = ""
  private var nodes = 0

  /// One digraph, with a cluster for each image that has boot paths.
  public static func render(_ report: Report) -> String {
    var writer = DotReport()
    writer.text = """
      digraph bhbcheck {
        rankdir=LR;
        fontname="sans-serif";
        node [fontname="sans-serif", fontsize=11, style="filled,rounded", shape=box, color="#5b6472"];
        edge [fontname="sans-serif", fontsize=10, color="#5b6472"];

      """
    for (index, image) in report.images.enumerated() {
      writer.text += "  subgraph cluster_\(index) {\n    label=\(quote(image.path));\n"
      if let root = DecisionTree(image.paths).root {
        writer.add(root)
      } else {
        writer.text +=
          "    \"none\(index)\" [label=\"no boot path was run\", fillcolor=\"#eeeeee\"];\n"
      }
      writer.text += "  }\n"
    }
    return writer.text + "}\n"
  }

  @discardableResult
  private mutating func add(_ node: DecisionTree.Node) -> String {
    let name = "n\(nodes)"
    nodes += 1
    guard let question = node.question else {
      let counts = node.verdicts.map { "\($0.verdict) on \($0.count)" }.joined(separator: ", ")
      let label = node.protections.joined(separator: "\nor ") + "\n\(counts)"
      text += "    \(name) [label=\(Self.quote(label)), fillcolor=\"\(Self.colour(of: node))\"];\n"
      return name
    }
    text +=
      "    \(name) [label=\(Self.quote(question.words + "?")), shape=ellipse, fillcolor=\"#ffffff\"];\n"
    for branch in node.branches {
      let target = add(branch.node)
      let label = Self.lines(branch.answers)
      text += "    \(name) -> \(target) [label=\(Self.quote(label))];\n"
    }
    return name
  }

  private static func colour(of node: DecisionTree.Node) -> String {
    switch node.verdicts.first?.verdict {
    case "inadequate": "#f8c9c4"
    case "undetermined": "#f6e3a1"
    case "excessive": "#c9dcf8"
    case "adequate": "#c8ebcf"
    default: "#eeeeee"
    }
  }

  /// A few answers a line, so that an edge does not get wider than the tree.
  private static func lines(_ answers: [String]) -> String {
    stride(from: 0, to: answers.count, by: 3).map { start in
      answers[start..<min(start + 3, answers.count)].joined(separator: ", ")
    }.joined(separator: "\n")
  }

  /// A quoted string of the language. Besides the quote, backslashes begin its own escapes.
  private static func quote(_ text: String) -> String {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      printable(String(line)).replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    }
    return "\"\(lines.joined(separator: "\\n"))\""
  }
}
