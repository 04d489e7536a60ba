import Mitigation
import Testing

@Suite struct SequenceTests {
  @Test(arguments: [
    (12, 7, SequenceClass.long), (13, 8, .long), (12, 6, .short), (11, 7, .short),
    (5, 5, .short), (5, 100, .short), (100, 5, .short), (4, 5, .deficient), (5, 4, .deficient),
    (100, 4, .deficient), (0, 0, .deficient), (-1, 7, .deficient),
  ])
  func theClassFollowsFromBothCounts(outer: Int, inner: Int, expected: SequenceClass) {
    #expect(SequenceClass(outer: outer, inner: inner) == expected)
  }

  @Test func aVariantWithoutBothCountsHasNoClass() {
    #expect(SequenceVariant(outer: 12, selectedBy: "always").sequenceClass == nil)
    #expect(SequenceVariant(inner: 7, selectedBy: "always").sequenceClass == nil)
    #expect(SequenceVariant(outer: 12, inner: 7, selectedBy: "always").sequenceClass == .long)
  }

  @Test func untakenBranchesDoNotReachTheHistory() {
    var counts = BranchCounts()
    counts.call = 6
    counts.jump = 33
    counts.conditionalTaken = 24
    counts.conditionalNotTaken = 6
    counts.ret = 7
    #expect(counts.taken == 70)
    #expect(SequenceVariant(selectedBy: "always", branches: counts).takenBranches == 70)
  }

  @Test(arguments: [(0, false), (31, false), (32, true), (63, true)])
  func aReturnIsSafeInTheUpperHalfOfItsLine(byte: Int, safe: Bool) {
    let placement = ReturnPlacement(address: Address(0), lastByteInLine: byte)
    #expect(placement.isInUpperHalf == safe)
  }

  @Test(arguments: [(673, "21*32+1"), (676, "21*32+4"), (0, "0*32+0"), (31, "0*32+31")])
  func featuresAreWrittenAsWordAndBit(number: Int, position: String) {
    #expect(FeatureReference(number: number, name: nil).description == position)
    #expect(
      FeatureReference(number: number, name: "CLEAR_BHB_LOOP").description
        == "CLEAR_BHB_LOOP (\(position))")
  }
}
