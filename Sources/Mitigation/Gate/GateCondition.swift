/// Something that a gate demands of an image beyond the policy.
///
/// The list is closed, so that a misspelt condition is an error and never one that always holds.
public enum GateCondition: Sendable, Hashable {
  /// `long-sequence`: the image has a long sequence.
  case longSequence
  /// `detection` or `detection=CONTRACT`: the choice depends on a bit of a hypervisor that means
  /// something, by that contract if one is named.
  case detection(contract: String?)
  /// `sites=ENTRY-POINT,…`: each of these entry points has a site.
  case sites([EntryPoint])
  /// `adequate=PATTERN,…`: every boot path whose environment's id matches one of the patterns is
  /// adequate or excessive. `*` stands for any characters, `?` for one.
  case adequate([String])

  /// The condition that `text` writes; nil if it writes none.
  public init?(_ text: String) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      .map(String.init)
    let values = parts.count > 1 ? parts[1].split(separator: ",").map(String.init) : []
    switch (parts[0], parts.count) {
    case ("long-sequence", 1): self = .longSequence
    case ("detection", 1): self = .detection(contract: nil)
    case ("detection", 2):
      guard !parts[1].isEmpty else { return nil }
      self = .detection(contract: parts[1])
    case ("sites", 2):
      let points = values.compactMap(EntryPoint.init)
      guard !points.isEmpty, points.count == values.count else { return nil }
      self = .sites(points)
    case ("adequate", 2):
      guard !values.isEmpty else { return nil }
      self = .adequate(values)
    default: return nil
    }
  }

  /// How every condition is written, for help texts and errors.
  public static let forms =
    "long-sequence, detection[=CONTRACT], sites=ENTRY-POINT,…, adequate=ENVIRONMENT-PATTERN,…"

  /// As it is written.
  public var text: String {
    switch self {
    case .longSequence: "long-sequence"
    case .detection(let contract): contract.map { "detection=\($0)" } ?? "detection"
    case .sites(let points): "sites=" + points.map(\.rawValue).joined(separator: ",")
    case .adequate(let patterns): "adequate=" + patterns.joined(separator: ",")
    }
  }
}

extension GateCondition {
  /// Whether a condition holds, and if not, why.
  public enum Result: Sendable, Hashable {
    case met
    case unmet(because: String, paths: [String] = [])
    case unknown(because: String, paths: [String] = [])
  }

  /// Holds the condition against an image that could be read.
  public func result(in image: ImageReport) -> Result {
    switch self {
    case .longSequence: longSequence(image.sequence)
    case .detection(let contract): detection(of: contract, image.bits)
    case .sites(let points): sites(at: points, image)
    case .adequate(let patterns): adequacy(of: patterns, image.paths)
    }
  }

  private func longSequence(_ sequence: ClearingSequence?) -> Result {
    guard let sequence else { return .unknown(because: "the sequence is not known") }
    if sequence.variants.contains(where: { $0.sequenceClass == .long }) { return .met }
    return sequence.variants.contains { $0.sequenceClass == nil }
      ? .unknown(because: "a sequence could not be measured")
      : .unmet(because: "the image has no long sequence")
  }

  private func detection(of contract: String?, _ bits: [ListenedBit]?) -> Result {
    guard let bits else { return .unknown(because: "nobody looked for bits of a hypervisor") }
    let meaningful = bits.filter { $0.meaning != nil }
    guard let contract else {
      return meaningful.isEmpty
        ? .unmet(because: "no bit of a hypervisor influences the choice") : .met
    }
    return meaningful.contains { $0.contract == contract }
      ? .met : .unmet(because: "the choice depends on no bit of the contract \(contract)")
  }

  private func sites(at points: [EntryPoint], _ image: ImageReport) -> Result {
    // An alternative inside the sequence changes it and does not run it.
    let there = Set(image.sites.filter { $0.kind != .inside }.compactMap(\.entryPoint))
    let lacking = points.filter { !there.contains($0) }
    let unknown = lacking.filter(image.unknownSites.contains)
    let missing = lacking.filter { !image.unknownSites.contains($0) }
    if !missing.isEmpty {
      return .unmet(because: "no site at " + missing.map(\.rawValue).joined(separator: ", "))
    }
    if !unknown.isEmpty {
      return .unknown(
        because: unknown.map(\.rawValue).joined(separator: ", ")
          + " would be in a file that was not given")
    }
    return .met
  }

  private func adequacy(of patterns: [String], _ paths: [JudgedPath]) -> Result {
    for pattern in patterns
    where !paths.contains(where: { matches($0.path.environment, pattern) }) {
      return .unknown(because: "no boot path was run in an environment \(pattern)")
    }
    let asked = paths.filter { path in
      patterns.contains { matches(path.path.environment, $0) }
    }
    let inadequate = asked.filter { $0.verdict == .inadequate }
    if !inadequate.isEmpty {
      return .unmet(
        because: "\(inadequate.count) of \(asked.count) boot paths are inadequate",
        paths: inadequate.map(\.path.id))
    }
    let open = asked.filter { $0.verdict == nil || $0.isUndetermined }
    return open.isEmpty
      ? .met
      : .unknown(
        because: "\(open.count) of \(asked.count) boot paths are undetermined",
        paths: open.map(\.path.id))
  }
}

/// Whether all of `text` is what `pattern` says: `*` for any characters, `?` for one.
private func matches(_ text: String, _ pattern: String) -> Bool {
  let (text, pattern) = (Array(text), Array(pattern))
  var (place, next) = (0, 0)
  // Where the last star stands, and how far it reaches; one is enough, as an earlier star never
  // has to give back what a later one can take.
  var star: (next: Int, place: Int)?
  while place < text.count {
    if next < pattern.count, pattern[next] == "*" {
      star = (next + 1, place)
      next += 1
    } else if next < pattern.count, pattern[next] == "?" || pattern[next] == text[place] {
      place += 1
      next += 1
    } else if let last = star {
      star = (last.next, last.place + 1)
      (place, next) = (last.place + 1, last.next)
    } else {
      return false
    }
  }
  return pattern[next...].allSatisfy { $0 == "*" }
}
