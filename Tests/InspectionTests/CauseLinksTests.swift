import Mitigation
import Testing

@testable import Inspection

@Suite("Links from findings to their causes")
struct CauseLinksTests {
  private func leaders(_ findings: [Finding]) -> [[RuleID]] {
    findings.linkedToCauses.map(\.followsFrom)
  }

  @Test("what rests on the same paths follows, once for each rule")
  func samePaths() {
    #expect(
      leaders([
        Finding(.belowPolicy, "less", paths: ["a", "b"]),
        Finding(.forcedTooLate, "one", paths: ["a"]), Finding(.forcedTooLate, "two", paths: ["b"]),
      ]) == [[.forcedTooLate], [], []])
  }

  @Test("other paths have another cause, and one that follows already is left alone")
  func otherPaths() {
    #expect(
      leaders([
        Finding(.bitOutOfPlace, "x", paths: ["a"]), Finding(.belowPolicy, "y", paths: ["b"]),
        Finding(.falseClaim, "z", paths: ["a"], followsFrom: [.belowPolicy]),
      ]) == [[], [], [.belowPolicy]])
  }

  @Test("a fault without paths explains all of its kind, and no others")
  func wholeImage() {
    #expect(
      leaders([
        Finding(.invertedPolarity, "x"), Finding(.silentGuestShort, "y", paths: ["a"]),
        Finding(.unprovenRetpoline, "z", paths: ["a"]),
      ]) == [[], [.invertedPolarity], []])
  }
}
