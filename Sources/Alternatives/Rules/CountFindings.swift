public import Mitigation

/// The findings that rest on measured counts.
public enum CountFindings {
  /// BHB002 and BHB030 for what runs of the sequence measured, all variants that the image can
  /// select.
  ///
  /// A variant without a class may be anything: it keeps BHB002 from firing.
  public static func findings(
    for variants: [SequenceVariant], of functions: SequenceFunctions
  ) -> [Finding] {
    guard !functions.isEmpty, !variants.isEmpty else { return [] }
    let locations = functions.functions.map { function in
      Location(image: "vmlinux", address: Address(function.address), symbol: function.symbol)
    }
    var findings: [Finding] = []
    if variants.allSatisfy({ $0.sequenceClass != nil && $0.sequenceClass != .long }) {
      let counts = Set(variants.map(rounds)).sorted().joined(separator: ", ")
      findings.append(
        Finding(
          .noLongSequence, "The image has no long sequence, only \(counts).", locations: locations))
    }
    for variant in variants where variant.sequenceClass == .deficient {
      findings.append(
        Finding(
          .deficientCounts,
          "The sequence runs \(rounds(variant)) rounds (\(variant.selectedBy)): "
            + "\(shortfall(variant)).", locations: locations))
    }
    return findings
  }

  private static func rounds(_ variant: SequenceVariant) -> String {
    guard let outer = variant.outer, let inner = variant.inner else { return "unknown" }
    return "\(outer)x\(inner)"
  }

  /// Which count is too low.
  private static func shortfall(_ variant: SequenceVariant) -> String {
    var low: [String] = []
    if let outer = variant.outer, outer < 5 { low.append("the outer count is below 5") }
    if let inner = variant.inner, inner < 5 { low.append("the inner count is below 5") }
    return low.joined(separator: ", ")
  }
}
