internal import Alternatives
internal import Mitigation

extension SequenceRun {
  /// The run as a report shows it.
  func variant(of function: SequenceFunction, selectedBy: String) -> SequenceVariant {
    var counts: (outer: Int, inner: Int)?
    var reason: String?
    if let undecodable {
      reason = "the code at \(hexadecimal(undecodable)) could not be decoded"
    } else if let loops = function.loops {
      counts = loops.counts(from: executed)
      if counts == nil { reason = "the inner loop did not run the same number of times each round" }
    } else {
      reason = function.unclear ?? "no two nested loops were found"
    }
    return SequenceVariant(
      outer: counts?.outer, inner: counts?.inner, barrier: reachedBarrier,
      selectedBy: selectedBy, branches: branches, instructions: instructions,
      undeterminedBecause: reason)
  }
}
