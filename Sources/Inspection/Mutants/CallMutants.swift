import BootMachine
import Alternatives
import KernelImage
import Mitigation

extension MutantMaker {
  /// A call dropped, or directed at another function of the decision.
  mutating func changeCall(_ one: ExecutedInstruction) {
    let instruction = one.instruction
    guard case .call(let target?) = instruction.kind, one.bytes.count == 5, one.bytes[0] == 0xE8,
      !isIncidental(target)
    else { return }
    let place = place(instruction.address)
    add(
      .callDropped, at: instruction.address, one.bytes, Padding.nops(5),
      "\(place) does not call \(self.place(target)).")
    guard let other = neighbour(of: target), let bytes = call(other, from: instruction.address)
    else { return }
    add(
      .callRedirected, at: instruction.address, one.bytes, bytes,
      "\(place) calls \(self.place(other)) in place of \(self.place(target)).")
  }

  /// Whether a call has nothing to do with what its caller decides: it prints, or traces.
  private func isIncidental(_ target: UInt64) -> Bool {
    program.printers.contains(target)
      || ["__fentry__", "mcount"].contains(kernel.symbols.nearest(to: target)?.name)
  }

  /// The function of the decision behind `target`, or the first one.
  private func neighbour(of target: UInt64) -> UInt64? {
    let order = code.functions.sorted()
    return order.first { $0 > target } ?? order.first { $0 != target }
  }

  func call(_ target: UInt64, from address: UInt64) -> [UInt8]? {
    guard let displacement = Int32(exactly: Int64(bitPattern: target &- (address &+ 5))) else {
      return nil
    }
    return [0xE8] + withUnsafeBytes(of: displacement.littleEndian) { Array($0) }
  }

  /// A function that returns 0 at once.
  mutating func returnEarly() {
    // xor %eax, %eax; ret
    let early: [UInt8] = [0x31, 0xC0, 0xC3]
    for function in code.functions.sorted() {
      var address = function
      // Where indirect branches are tracked, ENDBR64 must stay.
      if let head = kernel.bytes(at: address, count: 4),
        head.elementsEqual([0xF3, 0x0F, 0x1E, 0xFA])
      {
        address += 4
      }
      guard let end = kernel.symbols.end(of: function), end >= address + 3,
        let bytes = kernel.bytes(at: address, count: 3)
      else { continue }
      add(
        .earlyReturn, at: address, Array(bytes), early,
        "\(place(function)) returns 0 at once.")
    }
  }

  /// A store left out.
  mutating func dropStore(_ one: ExecutedInstruction) {
    let instruction = one.instruction
    guard let encoding = InstructionEncoding(one.bytes), encoding.storesOnly,
      case .memory(let memory)? = instruction.destination, !isOnStack(memory)
    else { return }
    add(
      .storeDropped, at: instruction.address, one.bytes, Padding.nops(one.bytes.count),
      "\(place(instruction.address)) does not write \(object(memory)).")
  }

  /// Whether an operand is relative to RSP or RBP.
  private func isOnStack(_ memory: Instruction.Memory) -> Bool {
    memory.base.map { $0.number == 4 || $0.number == 5 } ?? false
  }
}
