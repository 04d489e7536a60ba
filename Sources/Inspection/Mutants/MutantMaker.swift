import Alternatives
import BootMachine
import KernelImage
import Mitigation

/// Makes the mutants of one image: what all families of operators share.
struct MutantMaker: ~Copyable {
  let kernel: KernelImage
  let program: BootProgram
  let analysis: StaticAnalysis
  let code: DecisionCode
  /// What the paths asked the processor for.
  let leaves: Set<UInt32>
  let msrs: Set<UInt32>
  let decoder: Decoder
  private var mutants: [PreparedMutant] = []
  private var ids: Set<String> = []

  init(
    _ code: DecisionCode, _ program: BootProgram, _ analysis: StaticAnalysis,
    _ records: [PathRecord]
  ) throws(DecoderError) {
    kernel = program.kernel
    self.program = program
    self.analysis = analysis
    self.code = code
    leaves = records.reduce(into: []) { $0.formUnion($1.leaves) }
    msrs = records.reduce(into: []) { $0.formUnion($1.msrs) }
    decoder = try Decoder()
  }

  /// All mutants, in ascending order of address.
  consuming func made() -> [PreparedMutant] {
    let ranSequence = analysis.functions.functions.flatMap(\.instructions)
    for one in code.instructions {
      invertCondition(one)
      changeConstant(one)
      changeQuery(one)
      changeCall(one)
      dropStore(one)
    }
    returnEarly()
    changeRegisters()
    for instruction in ranSequence { changeSequence(instruction) }
    changeCountStores()
    changeTable()
    mutants.sort { ($0.mutant.address, $0.mutant.id) < ($1.mutant.address, $1.mutant.id) }
    return mutants
  }

  /// Adds a mutant, unless its bytes are none that the machine would run, or none that differ.
  mutating func add(
    _ kind: Mutant.Operator, at address: UInt64, _ original: [UInt8], _ changed: [UInt8],
    _ breaks: String, texts: (String, String)? = nil, isData: Bool = false
  ) {
    let end = address &+ UInt64(original.count)
    guard original.count == changed.count, original != changed, end > address,
      !program.substitutes(in: address..<end)
    else { return }
    var id = "\(kind.rawValue)@\(hexadecimal(address))"
    var number = 1
    while !ids.insert(id).inserted {
      // The same change by another way is no other mutant.
      if mutants.contains(where: {
        $0.mutant.address.value == address && $0.mutant.changed.bytes == changed
      }) {
        return
      }
      number += 1
      id = "\(kind.rawValue)@\(hexadecimal(address)).\(number)"
    }
    let (before, after) = texts ?? (text(original, address), text(changed, address))
    let mutant = Mutant(
      id: id, operator: kind, address: Address(address), symbol: name(of: address),
      original: HexBytes(original), changed: HexBytes(changed), originalText: before,
      changedText: after, breaks: breaks)
    mutants.append(PreparedMutant(mutant: mutant, isData: isData))
  }

  func text(_ bytes: [UInt8], _ address: UInt64) -> String {
    bytes.withUnsafeBytes { raw in
      decoder.text(of: raw, at: address) { $0.target.flatMap { name(of: $0) } }
    }
  }

  /// An address by its symbol and the distance from it.
  func name(of address: UInt64) -> String? {
    kernel.symbols.nearest(to: address).map { name, offset in
      offset == 0 ? name : "\(name)+\(hexadecimal(offset))"
    }
  }

  /// Where something is, for a sentence.
  func place(_ address: UInt64) -> String {
    kernel.symbols.nearest(to: address)?.name ?? hexadecimal(address)
  }

  /// A memory operand in words.
  func object(_ memory: Instruction.Memory?) -> String {
    memory?.address.flatMap { name(of: $0) } ?? "memory"
  }

  func decoded(_ bytes: [UInt8], _ address: UInt64) -> Instruction? {
    bytes.withUnsafeBytes { decoder.one($0, at: address) }
  }

  /// The instruction with another immediate of the same size; nil if it cannot be encoded.
  func replacingImmediate(
    of instruction: Instruction, _ bytes: [UInt8], by value: Int64
  ) -> [UInt8]? {
    guard let old = instruction.immediate else { return nil }
    for width in [1, 2, 4, 8] where width < bytes.count {
      var changed = bytes
      let start = bytes.count - width
      for index in 0..<width {
        changed[start + index] = UInt8(truncatingIfNeeded: value >> Int64(8 * index))
      }
      // Only the immediate's real place gives this value and leaves the rest alone.
      guard let new = decoded(changed, instruction.address), new.length == instruction.length,
        new.destination == instruction.destination, new.operation == instruction.operation,
        let result = new.immediate, result != old, Self.isSame(result, value)
      else { continue }
      return changed
    }
    return nil
  }

  /// Whether two immediates are the same as far as 32 bits go: decoders extend them differently.
  private static func isSame(_ left: Int64, _ right: Int64) -> Bool {
    left == right || UInt32(truncatingIfNeeded: left) == UInt32(truncatingIfNeeded: right)
      || UInt8(truncatingIfNeeded: left) == UInt8(truncatingIfNeeded: right)
        && (-128...255).contains(left) && (-128...255).contains(right)
  }
}
