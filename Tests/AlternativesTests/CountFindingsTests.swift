import Mitigation
import Testing

@testable import Alternatives

@Suite("Findings from counts")
struct CountFindingsTests {
  private func ids(_ counts: [(Int?, Int?)]) throws -> [RuleID] {
    let function = try SequenceCode().function()
    let variants = counts.map { SequenceVariant(outer: $0.0, inner: $0.1, selectedBy: "always") }
    return CountFindings.findings(
      for: variants, of: SequenceFunctions(functions: [function])
    ).map(\.id)
  }

  @Test("short alone is no long sequence; with a long one it is fine")
  func long() throws {
    #expect(try ids([(5, 5)]) == [.noLongSequence])
    #expect(try ids([(5, 5), (12, 7)]) == [])
  }

  @Test("a variant that could not be measured may be long")
  func unmeasured() throws {
    #expect(try ids([(5, 5), (nil, nil)]) == [])
    #expect(try ids([]) == [])
  }

  @Test("each deficient variant is told")
  func deficient() throws {
    #expect(try ids([(4, 5)]) == [.noLongSequence, .deficientCounts])
    #expect(try ids([(5, 4), (12, 7)]) == [.deficientCounts])
  }
}
