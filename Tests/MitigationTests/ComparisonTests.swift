import Mitigation
import Testing

@Suite struct ComparisonTests {
  @Test func nothingChanges() {
    let image = image([path("a", .adequate), path("b", .undetermined)], [finding(.noDetection)])
    let comparison = Comparison(from: image, to: image)
    #expect(comparison.isEmpty)
    #expect(!comparison.isWorse(atLeast: .note))
    #expect(comparison.unchangedPaths == 2)
    #expect(comparison.findings.kept.map(\.finding) == image.findings)
  }

  @Test(
    arguments: [
      (.adequate, .inadequate, .worse), (.inadequate, .adequate, .better),
      (.adequate, .undetermined, .worse), (.undetermined, .adequate, .better),
      (.undetermined, .inadequate, .worse), (.inadequate, .undetermined, .better),
      (.excessive, .inadequate, .worse), (.inadequate, .excessive, .better),
      (.adequate, .excessive, .different), (.excessive, .adequate, .different),
      (.adequate, nil, .different), (nil, .inadequate, .different), (nil, .undetermined, .worse),
      (.undetermined, nil, .better),
    ] as [(Verdict?, Verdict?, Change)])
  func verdictsHaveAnOrder(before: Verdict?, after: Verdict?, change: Change) {
    let comparison = Comparison(from: image([path("a", before)]), to: image([path("a", after)]))
    #expect(comparison.paths.map(\.change) == [change])
    #expect(comparison.isWorse() == (change == .worse))
  }

  @Test func aSequenceThatNobodyJudgedIsDifferent() {
    let comparison = Comparison(
      from: image([path("a", nil, [.syscall64: outcome(.long)])]),
      to: image([path("a", nil, [.syscall64: outcome(.short)])]))
    #expect(comparison.paths.first?.change == .different)
    #expect(comparison.paths.first?.entryPoints == [.syscall64: .different])
    #expect(!comparison.isWorse())
  }

  @Test func oneEntryPointThatIsWorseMakesThePathWorse() {
    let before = path(
      "a", .inadequate,
      [.syscall64: outcome(.short, .inadequate), .vmexit: outcome(.long, .adequate)])
    let after = path(
      "a", .undetermined,
      [.syscall64: outcome(.long, .adequate), .vmexit: outcome(nil, .undetermined)])
    let change = Comparison(from: image([before]), to: image([after])).paths.first
    #expect(change?.change == .worse)
    #expect(change?.entryPoints == [.syscall64: .better, .vmexit: .worse])
  }

  @Test func anEntryPointThatOnlyOneHasIsDifferent() {
    let before = path("a", .adequate, [.syscall64: outcome(.long, .adequate)])
    var after = before
    after.entryPoints[.bpf] = outcome(.long, .adequate)
    let change = Comparison(from: image([before]), to: image([after])).paths.first
    #expect(change?.entryPoints == [.bpf: .different])
    #expect(change?.change == .different)
  }

  @Test func theClaimCounts() {
    var after = path("a", .adequate)
    after.outcome.sysfs = "Mitigation: something else"
    let comparison = Comparison(from: image([path("a", .adequate)]), to: image([after]))
    #expect(comparison.paths.first?.change == .different)
  }

  @Test func theWordsForUndeterminedDoNot() {
    var (before, after) = (path("a", nil), path("a", nil))
    before.outcome.undeterminedBecause = "a limit at 0x1"
    after.outcome.undeterminedBecause = "a limit at 0x2"
    #expect(Comparison(from: image([before]), to: image([after])).isEmpty)
  }

  @Test func pathsOfOneImageAloneAreListedAndNeitherBetterNorWorse() {
    let comparison = Comparison(
      from: image([path("a", .adequate), path("b", .adequate)]),
      to: image([path("c", .inadequate), path("b", .adequate)]))
    #expect(comparison.onlyBefore == [id("a")])
    #expect(comparison.onlyAfter == [id("c")])
    #expect(comparison.unchangedPaths == 1)
    #expect(!comparison.isWorse() && !comparison.isEmpty)
  }

  @Test(arguments: [
    ("A site at 0xffffffff81000000.", "A site at 0xffffffff82000000."),
    ("No site at foo+0x12.", "No site at foo+0x88."),
    ("12 of 168 boot paths.", "7 of 160 boot paths."),
    ("Malformed in 3 entries: overlap.", "Malformed in 11 entries: overlap."),
  ])
  func addressesAndCountsMakeNoFindingNew(before: String, after: String) {
    let changes = changes([finding(.noDetection, before)], [finding(.noDetection, after)])
    #expect(changes.new.isEmpty && changes.gone.isEmpty)
    #expect(changes.kept.map(\.finding.message) == [after])
    #expect(changes.kept.map(\.isWorse) == [false])
  }

  @Test(arguments: [
    ("The sequence runs 4x5 rounds.", "The sequence runs 5x4 rounds."),
    ("It hangs on 21*32+1.", "It hangs on 21*32+4."),
    ("No site at int80.", "No site at syscall64."),
  ])
  func anotherFaultIsAnotherFinding(before: String, after: String) {
    let changes = changes([finding(.noDetection, before)], [finding(.noDetection, after)])
    #expect(changes.new.map(\.message) == [after])
    #expect(changes.gone.map(\.message) == [before])
  }

  @Test func anotherRuleIsAnotherFinding() {
    let changes = changes([finding(.noDetection, "x")], [finding(.belowPolicy, "x")])
    #expect(changes.new.map(\.id) == [.belowPolicy])
    #expect(changes.gone.map(\.id) == [.noDetection])
  }

  @Test func twoOfTheSameWordsAreTwo() {
    let one = finding(.malformedTable, "Malformed at 0x1.")
    #expect(changes([one], [one, one]).new.count == 1)
    #expect(changes([one, one], [one]).gone.count == 1)
  }

  @Test func findingsThatSpeakOfPathsAreTheSameIfTheyShareOne() {
    let before = finding(.belowPolicy, "On a and b.", paths: ["a", "b"])
    let after = finding(.belowPolicy, "On b.", paths: ["b"])
    let kept = changes([before], [after], shared: ["a", "b"]).kept
    #expect(kept.map(\.gonePaths) == [["a"]])
    #expect(kept.map(\.isWorse) == [false])
    #expect(changes([before], [finding(.belowPolicy, "On c.", paths: ["c"])]).new.count == 1)
  }

  @Test func aPathThatWasClearMakesAFindingWorse() {
    let before = [finding(.falseClaim, "m", paths: ["a"]), finding(.belowPolicy, paths: ["b"])]
    let after = [
      finding(.falseClaim, "m", paths: ["a", "b"]), finding(.belowPolicy, paths: ["b"]),
    ]
    let kept = changes(before, after, shared: ["a", "b"]).kept.first
    #expect(kept?.newPaths == ["b"])
    #expect(kept?.isWorse == true)
    // A path of one image alone says nothing.
    #expect(changes(before, after, shared: ["a"]).kept.first?.isWorse == false)
  }

  @Test func onePathFaultInThePlaceOfAnotherIsNotWorse() {
    let before = [
      finding(.belowPolicy, paths: ["a", "b"]), finding(.silentGuestShort, paths: ["c"]),
    ]
    let after = [
      finding(.belowPolicy, paths: ["a"]), finding(.silentGuestShort, paths: ["c", "b"]),
    ]
    #expect(changes(before, after, shared: ["a", "b", "c"]).kept.map(\.isWorse) == [false, false])
  }

  @Test func aFindingThatWeighsMoreIsWorse() {
    let before = finding(.noDetection, severity: .warning)
    let comparison = Comparison(
      from: image([], [before]), to: image([], [finding(.noDetection, severity: .error)]))
    #expect(comparison.findings.kept.map(\.isWorse) == [true])
    #expect(comparison.isWorse())
    #expect(!comparison.isEmpty)
  }

  @Test func aNewNoteIsNotWorseUnlessAskedFor() {
    let comparison = Comparison(
      from: image(), to: image([], [finding(.excessive, severity: .note)]))
    #expect(!comparison.isWorse())
    #expect(comparison.isWorse(atLeast: .note))
  }

  private func changes(
    _ before: [Finding], _ after: [Finding], shared: [String] = []
  ) -> FindingChanges {
    let paths = shared.map { name in
      JudgedPath(
        path: BootPath(
          cpu: name, environment: "e", statement: .silent, commandLineName: "l",
          commandLine: ""),
        outcome: Outcome(sysfs: nil, evidence: Evidence()), entryPoints: [:])
    }
    // The paths of these findings are named by their CPUs.
    func named(_ findings: [Finding]) -> [Finding] {
      findings.map { finding in
        var copy = finding
        copy.paths = finding.paths.map { "\($0)/e/silent/l" }
        return copy
      }
    }
    var changes = Comparison(
      from: image(paths, named(before)), to: image(paths, named(after))
    ).findings
    for index in changes.kept.indices {
      changes.kept[index].newPaths = changes.kept[index].newPaths.map { String($0.prefix(1)) }
      changes.kept[index].gonePaths = changes.kept[index].gonePaths.map { String($0.prefix(1)) }
    }
    return changes
  }
}

// MARK: Images made by hand

func id(_ cpu: String) -> String { path(cpu, nil).path.id }

func path(
  _ cpu: String, _ verdict: Verdict?, in environment: String = "kvm",
  _ entryPoints: [EntryPoint: EntryPointOutcome] = [:]
) -> JudgedPath {
  JudgedPath(
    path: BootPath(
      cpu: cpu, environment: environment, statement: .silent, commandLineName: "default",
      commandLine: ""),
    verdict: verdict, outcome: Outcome(sysfs: "Mitigation: x", evidence: Evidence()),
    entryPoints: entryPoints)
}

func outcome(_ sequence: SelectedSequence?, _ verdict: Verdict? = nil) -> EntryPointOutcome {
  EntryPointOutcome(
    mechanism: sequence.map { _ in .sequence }, sequence: sequence, verdict: verdict)
}

func finding(
  _ rule: RuleID, _ message: String = "It is wrong.", severity: Severity? = nil,
  paths: [String] = []
) -> Finding {
  Finding(rule, message, severity: severity, paths: paths)
}

func image(_ paths: [JudgedPath] = [], _ findings: [Finding] = []) -> ImageReport {
  var image = ImageReport(path: "vmlinuz")
  image.paths = paths
  image.findings = findings
  return image
}
