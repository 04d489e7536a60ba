import Mitigation

/// Which contract each bit that was found belongs to.
struct ContractNames {
  var contracts: [Contract]
  /// The contract that the user asked for.
  var asked: Contract?

  /// The contract that defines `detection`: the one asked for, else one of which every bit was
  /// found, the most bits first; else one that has no second bit; else any.
  func contract(of detection: Detection, among found: [Detection]) -> Contract? {
    if let asked, detection.meaning(by: asked) != nil { return asked }
    let candidates = contracts.filter { detection.meaning(by: $0) != nil }
    return candidates.max { rank($0, found) < rank($1, found) }
  }

  private func rank(_ contract: Contract, _ found: [Detection]) -> Int {
    let meanings = Set(found.compactMap { $0.meaning(by: contract) })
    let isHeard = meanings.count == contract.statements.count - 1
    return (isHeard ? 10 * meanings.count : 0) + (contract.longRequired == nil ? 1 : 0)
  }
}

extension Detection {
  /// What `contract` says of this bit; nil if it does not speak of it.
  func meaning(by contract: Contract) -> ListenedBit.Meaning? {
    contract.meaning(of: place, under: speakers)
  }
}

extension Contract {
  /// What this contract says of a bit in the leaves of `speakers`; nil: nothing.
  func meaning(of bit: BitPlace, under speakers: [String]) -> ListenedBit.Meaning? {
    let number: Int
    switch (place, bit) {
    case (
      .cpuid(let signature, let offset, let register), .cpuid(let otherOffset, let other, let bit)
    ):
      guard offset == otherOffset, register == other, speakers.contains(signature) else {
        return nil
      }
      number = bit
    case (.msr(let index, _), .msr(let other, let bit)):
      guard index == other else { return nil }
      number = bit
    default: return nil
    }
    if number == shortAdequate { return .shortAdequate }
    return number == longRequired ? .longRequired : nil
  }
}
