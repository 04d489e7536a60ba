import Alternatives
import BootMachine
import KernelImage
import Mitigation

/// What a report says of code behind the decision: BHB043, BHB091, and what was run.
struct LateFindings {
  private(set) var findings: [Finding] = []
  private(set) var notes: [String] = []

  private let kernel: KernelImage

  init(
    _ code: LateCode, _ program: BootProgram, _ analysis: StaticAnalysis,
    _ results: [(path: BootPath, result: BootResult)]
  ) {
    kernel = program.kernel
    guard !code.places.isEmpty else { return }
    findings += forced(code, analysis, results)
    let coverage = program.coverage
    // A step that ran to its end on every path has shown all that it does.
    let failures = results.compactMap { $0.result.late?.failure }
    let hidden = code.places.compactMap { place -> (LateCode.Place, String)? in
      if let reason = place.reason { return (place, reason) }
      guard let step = place.step, !coverage.ran(place.writer.address),
        let failure = failures.first(where: { code.isBehind($0.step, step) })
      else { return nil }
      return (place, "\(step.text) could not be run here (\(failure.reason))")
    }
    findings += unrun(hidden)
    for step in code.steps {
      let ran = results.contains { $0.result.late?.done.contains(step) ?? false }
      guard ran else { continue }
      let subjects = Set(code.places.filter { $0.step == step }.map(\.writer.subject.text)).sorted()
      notes.append(
        "\(step.text) can change \(subjects.joined(separator: ", ")) after the decision: it was run "
          + "behind it, and the outcomes are those after it")
    }
  }

  /// BHB043: sites in the image hang on what changed after they were patched.
  private func forced(
    _ code: LateCode, _ analysis: StaticAnalysis,
    _ results: [(path: BootPath, result: BootResult)]
  ) -> [Finding] {
    let patched = analysis.sites.filter { $0.kind == .alternative && $0.image == "vmlinux" }
    let features = Set(patched.compactMap(\.feature)).sorted { $0.number < $1.number }
    return features.compactMap { feature in
      let paths = results.filter {
        $0.result.late?.changedFeatures.contains(feature.number) ?? false
      }
      guard !paths.isEmpty else { return nil }
      let writers = code.places.filter { $0.step != nil }.map(\.writer)
        .filter { $0.subject == .feature(feature) }
      let sites = patched.count { $0.feature == feature }
      let places = Set(writers.map { kernel.describe($0.address) }).sorted()
      return Finding(
        .forcedTooLate,
        "\(feature) changes after the alternatives were patched, at "
          + places.joined(separator: ", ")
          + ": \(sites == 1 ? "a site stays" : "\(sites) sites stay") as before.",
        paths: paths.map(\.path.id), locations: writers.map(location))
    }
  }

  /// BHB091, once for each place.
  private func unrun(_ hidden: [(place: LateCode.Place, reason: String)]) -> [Finding] {
    var seen: Set<DecisionWriter> = []
    return hidden.filter { seen.insert($0.place.writer).inserted }.map { place, reason in
      Finding(
        .codeNotRun,
        "\(kernel.describe(place.writer.address)) \(place.writer.verb) "
          + "\(place.writer.subject.text) and was not run: \(reason).",
        locations: [location(place.writer)])
    }
  }

  private func location(_ writer: DecisionWriter) -> Location {
    Location(
      image: "vmlinux", address: Address(writer.address), symbol: kernel.describe(writer.address))
  }
}

extension LateCode {
  /// Whether a step comes no earlier than another one that failed, and so was not run either.
  fileprivate func isBehind(_ failed: LateStep, _ step: LateStep) -> Bool {
    guard let first = steps.firstIndex(of: failed), let second = steps.firstIndex(of: step) else {
      return false
    }
    return first <= second
  }
}

extension LateStep {
  fileprivate var text: String {
    switch self {
    case .restOfChain: "what follows the patching of alternatives"
    case .initCall(let name, _): "the init call \(name)"
    }
  }
}

extension DecisionWriter {
  fileprivate var verb: String {
    switch manner {
    case .writes: "writes"
    case .calls: "makes a call that forces or clears"
    case .passes: "hands out the address of"
    }
  }
}

extension DecisionWriter.Subject {
  fileprivate var text: String {
    switch self {
    case .count(let variable): variable.symbol ?? hexadecimal(variable.address)
    case .feature(let feature): feature.description
    }
  }
}
