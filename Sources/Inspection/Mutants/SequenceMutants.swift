import Alternatives
import KernelImage
import Mitigation

extension MutantMaker {
  /// The sequence itself: a count, its barrier, a branch of its loops.
  mutating func changeSequence(_ instruction: Instruction, isData: Bool = false) {
    guard let raw = kernel.bytes(at: instruction.address, count: instruction.length) else { return }
    let bytes = Array(raw)
    let place = place(instruction.address)
    if instruction.kind == .fence {
      add(
        .fenceRemoved, at: instruction.address, bytes, Padding.nops(bytes.count),
        "\(place) has no LFENCE.", isData: isData)
    }
    if instruction.operation == .move, let value = instruction.immediate, value > 1, value < 256 {
      for other in [value - 1, value + 1] {
        guard let changed = replacingImmediate(of: instruction, bytes, by: other) else { continue }
        add(
          .countChanged, at: instruction.address, bytes, changed,
          "A loop of \(place) runs \(other) times in place of \(value).", isData: isData)
      }
    }
    if let encoding = InstructionEncoding(bytes), encoding.isConditional {
      var changed = bytes
      changed[encoding.opcodeOffset] ^= 1
      add(
        .conditionInverted, at: instruction.address, bytes, changed,
        "A loop of \(place) ends when it should go on.", isData: isData)
    }
  }

  /// Counts in variables: the values that the image holds, and those that boot code stores.
  mutating func changeCountStores() {
    let variables = analysis.functions.functions.flatMap(\.variables)
    for variable in Set(variables.map(\.address)).sorted() {
      guard let value = kernel.read(UInt8.self, at: variable), value > 1 else { continue }
      let name = place(variable)
      add(
        .countChanged, at: variable, [value], [value - 1],
        "\(name) holds \(value - 1) in place of \(value) until boot code writes it.",
        texts: (".byte \(value)", ".byte \(value - 1)"), isData: true)
    }
    for one in code.instructions {
      guard case .memory(let memory)? = one.instruction.destination, let address = memory.address,
        variables.contains(where: { $0.address == address }),
        let value = one.instruction.immediate, value > 1
      else { continue }
      for other in [value - 1, value + 1] {
        guard let changed = replacingImmediate(of: one.instruction, one.bytes, by: other) else {
          continue
        }
        add(
          .countChanged, at: one.instruction.address, one.bytes, changed,
          "\(place(one.instruction.address)) sets \(place(address)) to \(other) in place of "
            + "\(value).")
      }
    }
  }
}
