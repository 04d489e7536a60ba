import Mitigation

extension EntryPointOutcome {
  /// What runs at the entry point: `sequence short`, `hardware`; and where that falls short, what
  /// it needs.
  var protection: String {
    guard let mechanism else { return unknown }
    var text = mechanism.rawValue
    if mechanism == .sequence {
      text += " \(sequence?.rawValue ?? unknown)"
    } else if let sequence, sequence != .none {
      text += " with sequence \(sequence.rawValue)"
    }
    switch verdict {
    case .inadequate?: text += ", needs \(required?.words ?? unknown)"
    case .undetermined?: text += ", undetermined"
    case .adequate?, .excessive?, nil: break
    }
    return text
  }
}

extension [EntryPoint: EntryPointOutcome] {
  /// What runs on a path, entry points that share it taken together: `sequence short (all)`, or
  /// what most of them have and then the others by name: `hardware; bpf ibhf`.
  var protection: String {
    let points = keys.sorted()
    let texts = distinct(points.compactMap { self[$0]?.protection })
    guard let first = texts.first else { return "no entry point" }
    if texts.count == 1 {
      return points.count == 1 ? "\(first) (\(points[0].rawValue))" : first + " (all)"
    }
    let groups = texts.map { text in
      (text: text, points: points.filter { self[$0]?.protection == text })
    }
    let main = groups.first { $0.points.count * 2 > points.count }?.text
    let others = groups.filter { $0.text != main }.map { group in
      group.points.map(\.rawValue).joined(separator: ", ") + " " + group.text
    }
    return ((main.map { [$0] } ?? []) + others).joined(separator: "; ")
  }
}

extension JudgedPath {
  /// What runs on the path; of a path that could not be run to its end nothing is known.
  var protection: String {
    entryPoints.isEmpty && outcome.undeterminedBecause != nil ? unknown : entryPoints.protection
  }
}

extension Outcome {
  /// What the sysfs line says after `BHI:`; nil if the line is unknown.
  var bhiPart: String? {
    guard let sysfs else { return nil }
    // The last part of the line today; other parts are separated by semicolons.
    for part in sysfs.split(separator: ";") {
      let words = part.drop { $0 == " " }
      if words.hasPrefix("BHI:") { return String(words.dropFirst(4).drop { $0 == " " }) }
    }
    return "no BHI part"
  }
}
