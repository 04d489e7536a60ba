internal import KernelImage
internal import Mitigation

/// The findings that need no boot path.
struct StaticFindings {
  let kernel: KernelImage
  let table: AlternativesTable
  let functions: SequenceFunctions
  let features: FeatureNames
  let survey: SiteSurvey

  /// In the order of their ids.
  var all: [Finding] {
    guard !functions.isEmpty else { return [absence] + malformedTable }
    return barriers + returns + missingSites + wrongFeatures + malformedTable
  }

  private var absence: Finding {
    let names = SequenceSymbol.known.map(\.name).joined(separator: ", ")
    return Finding(.noSequence, "The image has no clearing sequence (none of \(names)).")
  }

  // MARK: The sequence

  private var barriers: [Finding] {
    let bare = survey.sites.filter { found in
      let site = found.site
      guard site.kind == .alternative || site.kind == .direct,
        site.entryPoint?.entersKernel == true, site.barrier != true, found.barrierFollows != true
      else { return false }
      // What could not be followed proves nothing.
      guard site.kind == .direct || site.barrier == false else { return false }
      return functions.functions.first { $0.symbol == site.target }?.barrier == false
    }.map(\.site)
    guard !bare.isEmpty else { return [] }
    let names = list(bare.compactMap(\.entryPoint))
    return [
      Finding(
        .noBarrier, "No speculation barrier is reached after the sequence at \(names).",
        locations: bare.map(location))
    ]
  }

  private var returns: [Finding] {
    functions.functions.compactMap { function in
      let low = function.returns.filter { !$0.isInUpperHalf }
      guard !low.isEmpty else { return nil }
      let count = low.count == 1 ? "One return" : "\(low.count) returns"
      return Finding(
        .returnInLowerHalf,
        "\(count) of \(function.symbol) would end in the lower half of a cache line.",
        locations: low.map { location($0.address.value) })
    }
  }

  // MARK: The sites

  private var missingSites: [Finding] {
    guard !survey.missing.isEmpty else { return [] }
    return [
      Finding(
        .missingSite, "The sequence has no site at \(list(survey.missing)).",
        locations: survey.missing.compactMap(entryLocation))
    ]
  }

  /// Where the entry point without a site is.
  private func entryLocation(_ entryPoint: EntryPoint) -> Location? {
    let expected = (ExpectedEntryPoint.inKernel + [ExpectedEntryPoint.vmexit])
      .first { $0.entryPoint == entryPoint }
    for symbol in expected?.symbols ?? [] {
      if let address = kernel.symbols.address(of: symbol) {
        return Location(image: "vmlinux", address: Address(address), symbol: symbol)
      }
    }
    return nil
  }

  private var wrongFeatures: [Finding] {
    let sites = survey.sites.map(\.site).filter { $0.kind == .alternative && $0.feature != nil }
    let verdicts = FeatureJudge(sites).wrong { features.shown($0) }
    return verdicts.map { verdict in
      let feature = verdict.site.feature?.description ?? "an unknown feature"
      let name = verdict.site.entryPoint?.rawValue ?? verdict.site.symbol ?? "unknown"
      return Finding(
        .wrongFeature,
        "The site at \(name) hangs on \(verdict.site.negated ? "not " : "")\(feature): "
          + verdict.reason + ".", locations: [location(verdict.site)])
    }
  }

  // MARK: The table

  private var malformedTable: [Finding] {
    TableFault.Kind.allCases.compactMap { kind in
      let faults = table.faults.filter { $0.kind == kind }
      guard let first = faults.first else { return nil }
      let count = faults.count == 1 ? "one entry" : "\(faults.count) entries"
      let whole = first.site == nil
      return Finding(
        .malformedTable,
        whole
          ? "The table of alternatives is malformed: \(kind.rawValue)."
          : "The table of alternatives is malformed in \(count): \(kind.rawValue).",
        // One place shows what is wrong; a table read with a shift has thousands.
        locations: faults.prefix(8).map { location($0.address) })
    }
  }

  // MARK: Places

  private func location(_ address: UInt64) -> Location {
    Location(
      image: "vmlinux", address: Address(address),
      symbol: kernel.symbols.nearest(to: address).map { SiteFinder.label($0.name, $0.offset) })
  }

  private func location(_ site: Site) -> Location {
    Location(image: site.image, address: site.address, symbol: site.symbol)
  }

  private func list(_ entryPoints: [EntryPoint]) -> String {
    Set(entryPoints).sorted().map(\.rawValue).joined(separator: ", ")
  }
}

/// Whether sites hang on the features that their entry points call for.
///
/// The entries from user space share one feature in every right build, and the VM exit has another,
/// so that it can be selected alone (`spectre_bhi=vmexit`).
struct FeatureJudge {
  private let sites: [Site]

  init(_ sites: [Site]) { self.sites = sites }

  struct Verdict: Equatable {
    var site: Site
    var reason: String
  }

  private struct Choice: Hashable {
    var number: Int
    var negated: Bool
  }

  private func choice(_ site: Site) -> Choice? {
    site.feature.map { Choice(number: $0.number, negated: site.negated) }
  }

  private var userSites: [Site] { sites.filter { $0.entryPoint?.vector == .userToKernel } }

  /// What most of the entries from user space hang on; nil without a clear majority of at least two.
  private var common: Choice? {
    let counts = Dictionary(grouping: userSites.compactMap(choice)) { $0 }.mapValues(\.count)
    guard let best = counts.max(by: { $0.value < $1.value }), best.value >= 2,
      best.value * 2 > userSites.count
    else { return nil }
    return best.key
  }

  /// The sites with a wrong feature. `shown` names features that /proc/cpuinfo shows.
  func wrong(shown: (Int) -> String?) -> [Verdict] {
    let common = common
    return sites.compactMap { site in
      guard let choice = choice(site), let entryPoint = site.entryPoint else { return nil }
      if let name = shown(choice.number), !name.contains("BHB"), !name.contains("BHI") {
        return Verdict(site: site, reason: "/proc/cpuinfo shows that feature as something else")
      }
      if choice.negated {
        return Verdict(site: site, reason: "the sequence runs where the feature is not set")
      }
      guard let common else { return nil }
      if entryPoint.vector == .userToKernel, choice != common {
        return Verdict(site: site, reason: "its sibling sites share \(position(common.number))")
      }
      if entryPoint == .vmexit, choice == common {
        return Verdict(
          site: site, reason: "that is the feature of the entries from user space")
      }
      return nil
    }
  }

  private func position(_ number: Int) -> String {
    FeatureReference(number: number, name: nil).position
  }
}
