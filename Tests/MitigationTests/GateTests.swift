import Mitigation
import Testing

@Suite struct GateTests {
  private let gate = Gate()

  @Test func nothingSpeaksAgainstIt() {
    let result = gate.result(for: image([path("a", .adequate)], [finding(.excessive)]))
    #expect(result.passed == true)
    #expect(ExitStatus.of(result, image: image()) == 0)
    #expect(ExitStatus.ofBisection(result, image: image()) == 0)
  }

  @Test func anErrorFails() {
    let result = gate.result(for: image([], [finding(.noDetection)]))
    #expect(result.passed == false)
    #expect(result.reasons.map(\.rule) == [.noDetection])
    #expect(ExitStatus.of(result, image: image()) == 1)
    #expect(ExitStatus.ofBisection(result, image: image()) == 1)
  }

  @Test func theBarAndWhatIsAllowed() {
    let warned = image([], [finding(.offByBuild)])
    #expect(gate.result(for: warned).passed == true)
    #expect(Gate(failOn: .warning).result(for: warned).passed == false)
    #expect(Gate(failOn: .warning, allowed: [.offByBuild]).result(for: warned).passed == true)
    let two = image([], [finding(.noDetection), finding(.falseClaim)])
    #expect(Gate(allowed: [.noDetection]).result(for: two).reasons.map(\.rule) == [.falseClaim])
  }

  @Test func undeterminedIsUndecided() {
    let open = image([path("a", .undetermined)], [finding(.undetermined)])
    let result = gate.result(for: open)
    #expect(result.passed == nil)
    #expect(result.reasons.map(\.kind) == [.undetermined])
    #expect(ExitStatus.of(result, image: open) == 2)
    #expect(ExitStatus.ofBisection(result, image: open) == 125)
    #expect(Gate(allowed: [.undetermined]).result(for: open).passed == true)
  }

  @Test func undeterminedNeverCountsAsBadInABisection() {
    let open = image([path("a", .undetermined)], [finding(.undetermined)])
    let result = Gate(failOn: .warning).result(for: open)
    #expect(ExitStatus.of(result, image: open) == 1)
    #expect(ExitStatus.ofBisection(result, image: open) == 125)
  }

  @Test func anErrorWinsOverUndetermined() {
    let both = image([path("a", .undetermined)], [finding(.undetermined), finding(.falseClaim)])
    #expect(ExitStatus.ofBisection(gate.result(for: both), image: both) == 1)
  }

  @Test(arguments: ImageFailure.Code.allCases)
  func anImageThatCannotBeReadIsSkipped(code: ImageFailure.Code) {
    let failed = failed(code)
    let result = Gate(conditions: [.longSequence]).result(for: failed)
    #expect(result.passed == nil)
    #expect(result.reasons.map(\.kind) == [.input])
    #expect(ExitStatus.of(result, image: failed) == code.exitStatus)
    #expect(
      ExitStatus.ofBisection(result, image: failed) == (code == .internal ? 128 : 125))
  }

  @Test func aBaselineThatCannotBeReadEndsTheBisection() {
    let baseline = failed(.malformed)
    let result = gate.result(
      for: image([], [finding(.noDetection)]), since: baseline, named: "base")
    #expect(result.passed == nil)
    #expect(result.baseline == "base")
    #expect(ExitStatus.of(result, image: image(), baseline: baseline) == 65)
    #expect(ExitStatus.ofBisection(result, image: image(), baseline: baseline) == 128)
  }

  @Test func withABaselineOnlyWhatIsNewFails() {
    let before = image(
      [path("a", .inadequate), path("b", .undetermined)],
      [finding(.noDetection), finding(.undetermined)])
    #expect(gate.result(for: before, since: before, named: "x").passed == true)

    let found = image(before.paths, before.findings + [finding(.offByBuild)])
    let result = gate.result(for: found, since: before, named: "x")
    #expect(result.reasons.map(\.rule) == [.offByBuild])
    #expect(Gate(failOn: .error).result(for: found, since: before, named: "x").passed == true)
  }

  @Test func aPathThatIsWorseFails() {
    let before = image([path("a", .adequate), path("b", .adequate)])
    let after = image([path("a", .inadequate), path("b", .inadequate)])
    let result = gate.result(for: after, since: before, named: "x")
    #expect(result.reasons.map(\.kind) == [.worsePath])
    #expect(result.reasons.map(\.paths) == [[id("a"), id("b")]])
  }

  @Test func aFindingSpeaksForItsPaths() {
    let before = image([path("a", .adequate)])
    let after = image([path("a", .inadequate)], [finding(.silentGuestShort, paths: [id("a")])])
    let result = gate.result(for: after, since: before, named: "x")
    #expect(result.reasons.map(\.rule) == [.silentGuestShort])
    // An accepted rule accepts its paths, as long as no other rule rests on them.
    let allowing = Gate(allowed: [.silentGuestShort])
    #expect(allowing.result(for: after, since: before, named: "x").passed == true)
    let two = image(after.paths, after.findings + [finding(.falseClaim, paths: [id("a")])])
    #expect(
      allowing.result(for: two, since: before, named: "x").reasons.map(\.rule) == [.falseClaim])
  }

  @Test func aPathThatBecameUndeterminedIsUndecidedInABisection() {
    let before = image([path("a", .adequate)])
    let after = image([path("a", .undetermined)], [finding(.undetermined, paths: [id("a")])])
    let result = gate.result(for: after, since: before, named: "x")
    #expect(result.reasons.map(\.kind) == [.undetermined])
    #expect(ExitStatus.of(result, image: after) == 1)
    #expect(ExitStatus.ofBisection(result, image: after) == 125)
  }

  @Test func conditionsHoldWithABaselineToo() {
    let short = image()
    let gate = Gate(conditions: [.sites([.bpf])])
    let result = gate.result(for: short, since: short, named: "x")
    #expect(result.reasons.map(\.kind) == [.condition])
    #expect(result.passed == false)
  }

  @Test func aBaselineHasToBeOfTheSameKind() {
    let judged = Report(
      tool: tool, policy: "default", images: [image([path("a", .adequate)])])
    var other = judged
    #expect(Gate.unfitness(of: other, for: judged) == nil)
    other.policy = "another"
    #expect(
      Gate.unfitness(of: other, for: judged)
        == "expected verdicts by the policy default, found those by another")
    var searched = judged
    searched.contracts = ["kvm-hint"]
    #expect(Gate.unfitness(of: judged, for: searched)?.contains("with discovery") == true)
    #expect(Gate.unfitness(of: searched, for: judged)?.contains("--no-discover") == true)
    let unrun = Report(tool: tool, images: [image()])
    #expect(Gate.unfitness(of: unrun, for: judged)?.contains("--static") == true)
    #expect(Gate.unfitness(of: judged, for: unrun) == nil)
  }

  @Test func aComparisonsStatus() {
    func status(_ before: ImageReport, _ after: ImageReport) -> Int32 {
      let report = Report(tool: tool, images: [])
      let isReadable = before.error == nil && after.error == nil
      let comparison = ComparisonReport(
        tool: tool, before: .init(path: "a", image: before, in: report),
        after: .init(path: "b", image: after, in: report),
        comparison: isReadable ? Comparison(from: before, to: after) : nil)
      return ExitStatus.of(comparison, before: before, after: after)
    }
    let good = image([path("a", .adequate)])
    let bad = image([path("a", .inadequate)])
    let open = image([path("a", .undetermined)])
    #expect(status(good, good) == 0)
    #expect(status(good, bad) == 1)
    #expect(status(bad, good) == 0)
    #expect(status(bad, bad) == 0)
    #expect(status(open, good) == 2)
    #expect(status(good, open) == 1)
    #expect(status(failed(.malformed), bad) == 65)
    #expect(status(good, failed(.notFound)) == 66)
    #expect(status(failed(.internal), failed(.notFound)) == 70)
  }

  private let tool = Report.Tool(name: "bhbcheck", version: "0")

  private func failed(_ code: ImageFailure.Code) -> ImageReport {
    var image = image()
    image.error = ImageFailure(code: code, message: "it failed")
    return image
  }
}
