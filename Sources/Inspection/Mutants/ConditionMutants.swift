import Alternatives
import KernelImage
import Mitigation

extension MutantMaker {
  /// A condition taken for its opposite: Jcc, SETcc, CMOVcc.
  mutating func invertCondition(_ one: ExecutedInstruction) {
    guard let encoding = InstructionEncoding(one.bytes), encoding.isConditional else { return }
    var changed = one.bytes
    changed[encoding.opcodeOffset] ^= 1
    add(
      .conditionInverted, at: one.instruction.address, one.bytes, changed,
      "A condition in \(place(one.instruction.address)) is taken for its opposite.")
  }
}
