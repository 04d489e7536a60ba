import Foundation
public import Mitigation

/// Which inputs of a boot path lead to which protection: a tree that tells apart what the decision
/// table tells apart, by few questions.
///
/// It is made by a greedy choice: asked is the input whose answer says most about the protection for
/// its number of answers (information gain by split information, over the paths that are left), of
/// equally good ones the first in the order of `DecisionInput`. That need not be the smallest tree
/// of all; it is the same for the same table. Answers that lead to the same share a branch.
public struct DecisionTree: Sendable, Hashable, Encodable {
  /// A question with its branches, or what is protected how.
  public struct Node: Sendable, Hashable, Encodable {
    /// What is asked; nil for a leaf.
    public var question: DecisionInput?
    public var branches: [Branch]
    /// What runs; of several that no input tells apart, all. Empty where something is asked.
    public var protections: [String]
    /// How many of the paths have which verdict, the worst first.
    public var verdicts: [Count]
    /// The ids of the paths that end here; empty where something is asked.
    public var paths: [String]
  }

  public struct Branch: Sendable, Hashable, Encodable {
    public var answers: [String]
    public var node: Node
  }

  public struct Count: Sendable, Hashable, Encodable {
    public var verdict: String
    public var count: Int
  }

  /// Nil without a boot path.
  public var root: Node?

  public init(_ paths: [JudgedPath]) {
    let rows = paths.map { Row(path: $0, inputs: $0.inputs, protection: $0.choice) }
    root = rows.isEmpty ? nil : Self.node(rows)
  }

  private struct Row {
    var path: JudgedPath
    var inputs: [DecisionInput: String]
    var protection: String
  }

  private static func node(_ rows: [Row]) -> Node {
    guard distinct(rows.map(\.protection)).count > 1, let input = bestQuestion(rows) else {
      return leaf(rows)
    }
    var branches: [Branch] = []
    for answer in distinct(rows.map { $0.inputs[input] ?? unknown }) {
      let node = node(rows.filter { ($0.inputs[input] ?? unknown) == answer })
      if let same = branches.firstIndex(where: { $0.node.choosesLike(node) }) {
        branches[same].answers.append(answer)
        branches[same].node.merge(node)
      } else {
        branches.append(Branch(answers: [answer], node: node))
      }
    }
    // Rounding may let a question look useful that tells nothing.
    guard branches.count > 1 else { return branches[0].node }
    return Node(question: input, branches: branches, protections: [], verdicts: [], paths: [])
  }

  private static func leaf(_ rows: [Row]) -> Node {
    Node(
      question: nil, branches: [], protections: distinct(rows.map(\.protection)),
      verdicts: counts(rows.map { $0.path.verdictWord }), paths: rows.map(\.path.path.id))
  }

  private static func bestQuestion(_ rows: [Row]) -> DecisionInput? {
    let whole = entropy(rows.map(\.protection))
    func ratio(_ input: DecisionInput) -> Double {
      let answers = rows.map { $0.inputs[input] ?? unknown }
      let split = entropy(answers)
      guard split > 0 else { return 0 }
      let groups = Dictionary(grouping: zip(answers, rows)) { $0.0 }
      // In a stated order: floating-point sums depend on theirs.
      let left = distinct(answers).reduce(0.0) { sum, answer in
        let group = groups[answer] ?? []
        return sum + Double(group.count) / Double(rows.count) * entropy(group.map(\.1.protection))
      }
      return (whole - left) / split
    }
    for tier in 0...2 {
      var best: (input: DecisionInput, ratio: Double)?
      for input in DecisionInput.allCases where input.tier == tier {
        let ratio = ratio(input)
        if ratio > (best?.ratio ?? 0) + 1e-9 { best = (input, ratio) }
      }
      if let best { return best.input }
    }
    return nil
  }

  private static func entropy(_ values: [String]) -> Double {
    let total = Double(values.count)
    var counts: [String: Int] = [:]
    for value in values { counts[value, default: 0] += 1 }
    return distinct(values).reduce(0.0) { sum, value in
      let share = Double(counts[value] ?? 0) / total
      return sum - share * log2(share)
    }
  }

  fileprivate static func counts(_ verdicts: [String]) -> [Count] {
    let order = ["inadequate", "undetermined", "excessive", "adequate", "not judged"]
    return order.compactMap { verdict in
      let count = verdicts.count { $0 == verdict }
      return count == 0 ? nil : Count(verdict: verdict, count: count)
    }
  }
}

extension DecisionTree.Node {
  /// Whether both ask the same and lead to the same, however many paths take them.
  fileprivate func choosesLike(_ other: DecisionTree.Node) -> Bool {
    question == other.question && protections == other.protections
      && branches.count == other.branches.count
      && zip(branches, other.branches).allSatisfy {
        $0.answers == $1.answers && $0.node.choosesLike($1.node)
      }
  }

  /// Adds the paths of a node that leads to the same.
  fileprivate mutating func merge(_ other: DecisionTree.Node) {
    paths += other.paths
    verdicts = DecisionTree.counts(
      (verdicts + other.verdicts).flatMap { Array(repeating: $0.verdict, count: $0.count) })
    for index in branches.indices { branches[index].node.merge(other.branches[index].node) }
  }
}

extension JudgedPath {
  fileprivate var verdictWord: String {
    outcome.undeterminedBecause != nil ? "undetermined" : verdict?.rawValue ?? "not judged"
  }

  /// What the kernel chose, without what a policy thinks of it.
  fileprivate var choice: String {
    if outcome.undeterminedBecause != nil { return "undetermined" }
    let chosen = entryPoints.mapValues { point in
      var chosen = point
      chosen.verdict = nil
      return chosen
    }
    let text = chosen.protection
    return text.hasSuffix(" (all)") ? String(text.dropLast(6)) : text
  }
}
