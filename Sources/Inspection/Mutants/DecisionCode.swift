import Alternatives
import BootMachine
import KernelImage

/// An instruction of the decision, with its machine code.
struct ExecutedInstruction: Sendable {
  var instruction: Instruction
  var bytes: [UInt8]
}

/// The code that the choice was made by on some boot path: where operators act.
///
/// Chosen by what ran, not by names: see `DecisionSlice`.
struct DecisionCode: Sendable {
  /// In ascending order of address.
  private(set) var instructions: [ExecutedInstruction] = []
  /// The entries of the functions that hold them.
  let functions: Set<UInt64>
  /// The bits of memory that the choice is read from, by the address of their byte.
  let choice: [UInt64: UInt8]

  /// - Parameters:
  ///   - boots: of paths that together run all that any path runs.
  ///   - decided: the bits that the choice is read from, beside those that sysfs shows.
  ///   - narrowed: leaves those of the bits that sysfs reads on which an outcome depends.
  init(
    _ boots: [BootSteps], _ program: BootProgram, decided: [UInt64: UInt8],
    narrowed: ([UInt64: UInt8]) -> [UInt64: UInt8]
  ) throws(DecoderError) {
    let decoder = try Decoder()
    var slice = DecisionSlice(boots, program, decoder)
    // What no boot makes is no part of the slice; that a mutant makes it would tell.
    let (made, all) = (slice.made, slice.shown)
    let shown = narrowed(all.filter { made.contains($0.key) })
      .merging(all.filter { !made.contains($0.key) }) { $0 | $1 }
    slice.follow(decided: decided, shown: shown)
    choice = decided.merging(shown) { $0 | $1 }
    functions = slice.functions.subtracting(program.printers)
    for address in slice.addresses.sorted() {
      // The longest instruction there is; less at the end of the image.
      guard
        let code = (1...15).reversed().lazy.compactMap({
          program.kernel.bytes(at: address, count: $0)
        }).first, let instruction = decoder.one(code, at: address)
      else { continue }
      instructions.append(
        ExecutedInstruction(
          instruction: instruction, bytes: Array(code.prefix(instruction.length))))
    }
  }
}
