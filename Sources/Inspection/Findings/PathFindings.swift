import Mitigation

/// The findings that rest on judged boot paths.
struct PathFindings {
  /// The image with its judged paths and the findings that were made before.
  let report: ImageReport
  /// What is known of each path, in the paths' order.
  let facts: [PathFacts]
  /// Whether all kinds of paths were run.
  let isComplete: Bool
  /// The place of a symbol of the image; nil if it has none of that name.
  let locate: (String) -> Location?

  private let abilities: ImageAbilities
  private let shortfalls: [Shortfall]

  init(
    _ report: ImageReport, facts: [PathFacts], isComplete: Bool,
    locate: @escaping (String) -> Location?
  ) {
    self.report = report
    self.facts = facts
    self.isComplete = isComplete
    self.locate = locate
    let abilities = ImageAbilities(report, isComplete: isComplete)
    self.abilities = abilities
    shortfalls = zip(report.paths, facts).flatMap { abilities.shortfalls(of: $0, $1) }
  }

  /// In the order of their ids.
  var all: [Finding] {
    let found =
      longNeverRuns + silentGuests + belowPolicy + falseClaims + offByBuild + wronglyNotAffected
      + unprovenRetpolines + deficient + missingFredSite + excessive + undetermined
    // What explains another finding has to be there.
    let ids = Set((report.findings + found).map(\.id))
    return found.map { finding in
      var finding = finding
      finding.followsFrom = finding.followsFrom.filter(ids.contains)
      return finding
    }
  }

  /// What a reader should know although no build could do better.
  var notes: [String] {
    let unaware = zip(report.paths, facts).filter { path, facts in
      facts.isUnawareGuest && facts.affected != false
        && path.entryPoints.values.contains { $0.sequence == .short }
    }
    guard !unaware.isEmpty else { return [] }
    return [
      "\(counted(unaware.count, "boot path")) of a guest that cannot know that it is one (its "
        + "hypervisor hides) \(unaware.count == 1 ? "runs" : "run") the short sequence, judged like "
        + "bare metal: " + abridged(unaware.map(\.0.path.id))
    ]
  }

  // MARK: Sequences

  private var longNeverRuns: [Finding] {
    let short = shortfalls.filter { $0.cause == .longNeverRuns }
    guard !short.isEmpty else { return [] }
    return [
      Finding(
        .longNeverRuns,
        "The image has a long sequence, and none of \(counted(report.paths.count, "boot path")) runs "
          + "it, although \(counted(ids(of: short).count, "path")) would have to.",
        paths: ids(of: short), locations: sequence)
    ]
  }

  /// Deficient counts that only boot paths showed; what the image itself shows was found before.
  private var deficient: [Finding] {
    let paths = report.paths.filter { path in
      path.entryPoints.values.contains { $0.sequence == .deficient }
    }
    guard !paths.isEmpty, !report.findings.contains(where: { $0.id == .deficientCounts }) else {
      return []
    }
    return [
      Finding(
        .deficientCounts,
        "On \(counted(paths.count, "boot path")) the sequence runs fewer than 5x5 rounds.",
        paths: paths.map(\.path.id), locations: sequence)
    ]
  }

  private var excessive: [Finding] {
    let paths = report.paths.filter { path in
      path.entryPoints.values.contains { $0.verdict == .excessive }
    }
    guard !paths.isEmpty else { return [] }
    return [
      Finding(
        .excessive,
        "On \(counted(paths.count, "boot path")) the long sequence runs where a shorter one, or none, "
          + "would do.", paths: paths.map(\.path.id), locations: sequence)
    ]
  }

  // MARK: Less than required

  private var silentGuests: [Finding] {
    let short = shortfalls.filter { $0.rule == .silentGuestShort }
    guard !short.isEmpty else { return [] }
    let counts = Set(
      (report.sequence?.variants ?? []).filter { $0.sequenceClass == .short }
        .map { "\($0.outer ?? 0)x\($0.inner ?? 0)" }
    ).sorted()
    return [
      Finding(
        .silentGuestShort,
        "On \(counted(ids(of: short).count, "boot path")) a guest whose hypervisor says nothing runs "
          + "the short sequence\(counts.isEmpty ? "" : " (\(counts.joined(separator: ", ")))") at "
          + "\(points(short)).",
        paths: ids(of: short), locations: sequence, followsFrom: leaders(of: short))
    ]
  }

  /// One finding for what follows from others, and one for what stands for itself.
  private var belowPolicy: [Finding] {
    let short = shortfalls.filter { $0.rule == .belowPolicy }
    return [short.filter { $0.leaders.isEmpty }, short.filter { !$0.leaders.isEmpty }].compactMap {
      group in
      guard !group.isEmpty else { return nil }
      let words = Set(group.map(\.words)).sorted()
      return Finding(
        .belowPolicy,
        "On \(counted(ids(of: group).count, "boot path")) less runs than the policy requires at "
          + "\(points(group)): \(words.joined(separator: "; ")).",
        paths: ids(of: group), locations: sites(of: group), followsFrom: leaders(of: group))
    }
  }

  private var falseClaims: [Finding] {
    var claims: Set<String> = []
    let short = shortfalls.filter { shortfall in
      guard shortfall.cause != .takenForUnaffected, let line = shortfall.path.outcome.sysfs else {
        return false
      }
      let claim = SysfsClaim(line)
      guard claim.covers(shortfall.entryPoint) else { return false }
      claims.insert(claim.words)
      return true
    }
    guard !short.isEmpty else { return [] }
    let paths = ids(of: short)
    return [
      Finding(
        .falseClaim,
        "On \(counted(paths.count, "boot path")) sysfs says "
          + abridged(claims.sorted().map { "\"\($0)\"" }, separator: " or ")
          + ", and what runs is inadequate.",
        paths: paths, locations: [locate("cpu_show_spectre_v2")].compactMap(\.self),
        followsFrom: Set(short.flatMap { $0.leaders.isEmpty ? [$0.rule] : $0.leaders }).sorted())
    ]
  }

  private var missingFredSite: [Finding] {
    let short = shortfalls.filter { $0.rule == .missingSite }
    guard !short.isEmpty else { return [] }
    let place = ["asm_fred_entrypoint_user", "fred_entry_from_user"].lazy.compactMap(locate).first
    return [
      Finding(
        .missingSite,
        "The sequence has no site at fred-user, where \(counted(ids(of: short).count, "boot path")) "
          + "with FRED and without BHI_DIS_S enter the kernel.",
        paths: ids(of: short), locations: [place].compactMap(\.self))
    ]
  }

  // MARK: Off, or taken for not affected

  private var offByBuild: [Finding] {
    let short = shortfalls.filter { $0.rule == .offByBuild }
    guard !short.isEmpty else { return [] }
    let options = BuildSwitches.words(report.kernel)
    return [
      Finding(
        .offByBuild,
        "On \(counted(ids(of: short).count, "boot path")) the mitigation is off although no command "
          + "line of the user's says so\(options.isEmpty ? "" : " (\(options))").",
        paths: ids(of: short),
        locations: [locate("cpu_select_mitigations")].compactMap(\.self))
    ]
  }

  private var wronglyNotAffected: [Finding] {
    guard abilities.hasSequence else { return [] }
    let wrong = zip(report.paths, facts).filter { $0.isTakenForUnaffected($1) }
    guard !wrong.isEmpty else { return [] }
    let processors = Set(wrong.map(\.0.path.cpu)).sorted()
    let sources = Set(wrong.compactMap(\.1.affectedSource)).sorted()
    return [
      Finding(
        .wronglyNotAffected,
        "The image takes \(abridged(processors)) for not affected, against \(abridged(sources)).",
        paths: wrong.map(\.0.path.id),
        locations: [locate("cpu_vuln_whitelist")].compactMap(\.self))
    ]
  }

  // MARK: Unknown

  /// Whether retpolines that nothing proves are all that keeps a path from a verdict.
  private func isUnproven(_ outcome: EntryPointOutcome) -> Bool {
    outcome.verdict == .undetermined && outcome.mechanism == .retpoline
  }

  private var unprovenRetpolines: [Finding] {
    let paths = zip(report.paths, facts).filter { path, facts in
      facts.affected == true && path.outcome.undeterminedBecause == nil
        && path.entryPoints.values.contains(where: isUnproven)
    }
    guard !paths.isEmpty else { return [] }
    return [
      Finding(
        .unprovenRetpoline,
        "On \(counted(paths.count, "boot path")) a guest that is shown no RRSBA relies on retpolines, "
          + "and nothing says whether they hold on the hardware below.",
        paths: paths.map(\.0.path.id),
        locations: [locate("cpu_select_mitigations")].compactMap(\.self))
    ]
  }

  private var undetermined: [Finding] {
    var reasons: Set<String> = []
    var paths: [String] = []
    for (path, facts) in zip(report.paths, facts) {
      guard let reason = reason(why: path, facts) else { continue }
      reasons.insert(reason)
      paths.append(path.path.id)
    }
    guard !paths.isEmpty else { return [] }
    return [
      Finding(
        .undetermined,
        "\(paths.count) of \(counted(report.paths.count, "boot path")) could not be determined: "
          + abridged(reasons.sorted(), separator: "; ") + ".", paths: paths)
    ]
  }

  /// Why a path has no verdict; nil if it has one, or another rule says why not.
  private func reason(why path: JudgedPath, _ facts: PathFacts) -> String? {
    if let reason = path.outcome.undeterminedBecause { return reason }
    guard path.verdict == .undetermined || path.hasUndeterminedEntryPoint else { return nil }
    if facts.affected == nil {
      return "whether BHI affects \(path.path.cpu) is not known"
    }
    if path.entryPoints.isEmpty { return "the image's entry points are not known" }
    let unknown = path.entryPoints.filter {
      $0.value.verdict == .undetermined && !isUnproven($0.value)
    }
    guard !unknown.isEmpty else { return nil }
    let points = unknown.keys.sorted().map(\.rawValue).joined(separator: ", ")
    return "what protects \(points) is not known"
  }

  // MARK: Words and places

  private func ids(of shortfalls: [Shortfall]) -> [String] {
    var seen: Set<String> = []
    return shortfalls.map(\.path.path.id).filter { seen.insert($0).inserted }
  }

  private func leaders(of shortfalls: [Shortfall]) -> [RuleID] {
    // One that stands for itself keeps the whole finding from following.
    if shortfalls.contains(where: { $0.leaders.isEmpty }) { return [] }
    return Set(shortfalls.flatMap(\.leaders)).sorted()
  }

  private func points(_ shortfalls: [Shortfall]) -> String {
    Set(shortfalls.map(\.entryPoint)).sorted().map(\.rawValue).joined(separator: ", ")
  }

  /// Where the sequence is.
  private var sequence: [Location] {
    guard let sequence = report.sequence, let address = sequence.address else { return [] }
    return [Location(image: "vmlinux", address: address, symbol: sequence.symbol)]
  }

  /// The sites of the entry points that fall short.
  private func sites(of shortfalls: [Shortfall]) -> [Location] {
    let points = Set(shortfalls.map(\.entryPoint))
    return report.sites.filter { $0.kind != .inside && $0.entryPoint.map(points.contains) ?? false }
      .map { Location(image: $0.image, address: $0.address, symbol: $0.symbol) }
  }

  private func abridged(_ words: [String], separator: String = ", ") -> String {
    words.prefix(3).joined(separator: separator)
      + (words.count > 3 ? " and \(words.count - 3) more" : "")
  }
}

extension JudgedPath {
  fileprivate var hasUndeterminedEntryPoint: Bool {
    entryPoints.values.contains { $0.verdict == .undetermined }
  }
}
