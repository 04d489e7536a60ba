import Alternatives
import BootMachine
import KernelImage

/// An instruction that ran, with its machine code.
struct ExecutedInstruction: Sendable {
  var instruction: Instruction
  var bytes: [UInt8]
  /// The block that it was first seen in.
  var block: UInt64

  var range: Range<UInt64> { instruction.address..<instruction.end }
}

/// The code that ran on the way to the choice, as far as it belongs to the decision.
///
/// Chosen by what ran, not by names. The choice is read from some words of memory: those that the
/// function behind the sysfs line read, the words of the features that sites hang on, and the
/// variables of the counts. A function belongs to the decision if it wrote one of them, or wrote
/// what such a function read, and so on; and if such a function calls it and it reads those words
/// or asks the processor. Code that only prints, or copies between stack and registers, does not.
struct DecisionCode: Sendable {
  /// In ascending order of address.
  private(set) var instructions: [ExecutedInstruction] = []
  /// The entries of the functions of the decision.
  private(set) var functions: Set<UInt64> = []
  /// The words of memory that the choice is read from, directly or not.
  private(set) var words: Set<UInt64>

  private let kernel: KernelImage

  /// - Parameter records: of the paths, those of machines that watched memory among them.
  init(
    _ records: [PathRecord], kernel: KernelImage, decided: Set<UInt64>, printers: [UInt64],
    decoder: borrowing Decoder
  ) {
    self.kernel = kernel
    words = records.reduce(into: decided) { $0.formUnion($1.shown) }
    let executed = Self.executed(records, kernel, decoder)
    let functionOf = FunctionLookup(kernel)
    close(over: records.flatMap(\.accesses), functionOf)
    var byFunction: [UInt64: [ExecutedInstruction]] = [:]
    for one in executed {
      byFunction[functionOf.entry(of: one.instruction.address), default: []].append(one)
    }
    addCallees(byFunction, records.flatMap(\.accesses), functionOf)
    functions.subtract(printers)
    instructions = functions.flatMap { byFunction[$0] ?? [] }
      .sorted { $0.instruction.address < $1.instruction.address }
  }

  /// Every instruction of the image that ran, decoded from where its blocks begin.
  private static func executed(
    _ records: [PathRecord], _ kernel: KernelImage, _ decoder: borrowing Decoder
  ) -> [ExecutedInstruction] {
    var found: [UInt64: ExecutedInstruction] = [:]
    var blocks: Set<PathRecord.Block> = []
    for record in records { blocks.formUnion(record.blocks) }
    for block in blocks.sorted(by: { ($0.address, $0.size) < ($1.address, $1.size) }) {
      guard let code = kernel.bytes(at: block.address, count: block.size) else { continue }
      for instruction in decoder.decode(code, at: block.address)
      where instruction.kind != .undecodable && found[instruction.address] == nil {
        found[instruction.address] = ExecutedInstruction(
          instruction: instruction, bytes: Array(code[instruction.range]), block: block.address)
      }
    }
    return found.values.sorted { $0.instruction.address < $1.instruction.address }
  }

  /// Adds functions that wrote what the choice is read from, until there are no more.
  private mutating func close(over accesses: [MemoryAccess], _ functionOf: FunctionLookup) {
    var reads: [UInt64: Set<UInt64>] = [:]
    var writers: [UInt64: Set<UInt64>] = [:]
    for access in accesses {
      let function = functionOf.entry(of: access.block)
      if access.isWrite {
        writers[access.word, default: []].insert(function)
      } else {
        reads[function, default: []].insert(access.word)
      }
    }
    var pending = Array(words)
    while let word = pending.popLast() {
      for function in writers[word] ?? [] where functions.insert(function).inserted {
        for read in reads[function] ?? [] where words.insert(read).inserted { pending.append(read) }
      }
    }
  }

  /// Adds functions that those of the decision call for what they know: they read the same words,
  /// or ask the processor.
  private mutating func addCallees(
    _ code: [UInt64: [ExecutedInstruction]], _ accesses: [MemoryAccess],
    _ functionOf: FunctionLookup
  ) {
    var readers: Set<UInt64> = []
    for access in accesses where !access.isWrite && words.contains(access.word) {
      readers.insert(functionOf.entry(of: access.block))
    }
    for (function, instructions) in code where instructions.contains(where: Self.asksProcessor) {
      readers.insert(function)
    }
    var pending = Array(functions)
    while let function = pending.popLast() {
      for one in code[function] ?? [] {
        guard case .call(let target?) = one.instruction.kind, readers.contains(target),
          functions.insert(target).inserted
        else { continue }
        pending.append(target)
      }
    }
  }

  /// CPUID, RDMSR and WRMSR.
  private static func asksProcessor(_ one: ExecutedInstruction) -> Bool {
    guard let encoding = InstructionEncoding(one.bytes), encoding.isTwoByte else { return false }
    return [0xA2, 0x32, 0x30].contains(encoding.opcode)
  }
}

/// The function that an address lies in, by its entry; what the compiler split off it counts as it.
final class FunctionLookup {
  private let kernel: KernelImage
  private var known: [UInt64: UInt64] = [:]

  init(_ kernel: KernelImage) { self.kernel = kernel }

  func entry(of address: UInt64) -> UInt64 {
    if let entry = known[address] { return entry }
    let entry = find(address)
    known[address] = entry
    return entry
  }

  private func find(_ address: UInt64) -> UInt64 {
    guard let (name, offset) = kernel.symbols.nearest(to: address) else { return address }
    if name.hasSuffix(Self.unlikely),
      let whole = kernel.symbols.address(of: String(name.dropLast(Self.unlikely.count)))
    {
      return whole
    }
    return address - offset
  }

  /// What GCC appends to the name of a function's unlikely part.
  private static let unlikely = ".cold"
}
