import Alternatives
import KernelImage
import Mitigation

extension MutantMaker {
  /// A constant of a comparison off by one; a mask or the number of a bit one bit over.
  mutating func changeConstant(_ one: ExecutedInstruction) {
    let instruction = one.instruction
    guard let encoding = InstructionEncoding(one.bytes), let value = instruction.immediate else {
      return
    }
    let place = place(instruction.address)
    switch encoding.immediateFamily {
    case .compare:
      guard let bytes = replacingImmediate(of: instruction, one.bytes, by: value &+ 1) else {
        return
      }
      add(
        .constantOffByOne, at: instruction.address, one.bytes, bytes,
        "\(place) compares with \(value &+ 1) in place of \(value).")
    case .test, .and, .or:
      changeMask(one, value, isSelecting: encoding.immediateFamily != .or)
    case .bitTest, .bitSet:
      let other = value & 31 == 31 ? value - 1 : value + 1
      guard let bytes = replacingImmediate(of: instruction, one.bytes, by: other) else { return }
      let verb = encoding.immediateFamily == .bitSet ? "sets" : "looks at"
      add(
        .bitOver, at: instruction.address, one.bytes, bytes,
        "\(place) \(verb) bit \(other) in place of bit \(value) of \(object(instruction.memory)).")
    case .move, .other: return
    }
  }

  private mutating func changeMask(_ one: ExecutedInstruction, _ value: Int64, isSelecting: Bool) {
    let instruction = one.instruction
    let bits = UInt32(truncatingIfNeeded: value)
    // What keeps nearly all bits clears one: the one that it clears moves.
    let mask = bits.nonzeroBitCount > 16 ? ~bits : bits
    guard mask != 0 else { return }
    let moved: UInt32
    if mask.nonzeroBitCount == 1 {
      moved = mask << 1 == 0 || mask == 0x80 && value >= -128 ? mask >> 1 : mask << 1
    } else {
      moved = mask & (mask - 1)
    }
    let changed = bits.nonzeroBitCount > 16 ? ~moved : moved
    guard
      let bytes = replacingImmediate(
        of: instruction, one.bytes, by: Int64(Int32(bitPattern: changed)))
    else { return }
    let verb = isSelecting ? "selects bits" : "sets bits"
    add(
      .bitOver, at: instruction.address, one.bytes, bytes,
      "\(place(instruction.address)) \(verb) \(hexadecimal(UInt64(changed))) in place of "
        + "\(hexadecimal(UInt64(bits))) of \(object(instruction.memory)).")
  }

  /// The constant that asks the processor: a leaf of CPUID, the index of an MSR.
  ///
  /// Known by evidence: a path asked for just this number, and in this function, or in one that it
  /// calls, the processor is asked.
  mutating func changeQuery(_ one: ExecutedInstruction) {
    let instruction = one.instruction
    guard let encoding = InstructionEncoding(one.bytes), encoding.immediateFamily == .move,
      let register = instruction.destinationRegister, register.part == .dword,
      let value = instruction.immediate, let number = UInt32(exactly: value & 0xFFFF_FFFF),
      number > 1
    else { return }
    let place = place(instruction.address)
    // EAX, ECX; or the first two arguments of a function that asks.
    if msrs.contains(number), number >= 0x10, [1, 7, 6].contains(register.number) {
      guard let bytes = replacingImmediate(of: instruction, one.bytes, by: value &+ 1) else {
        return
      }
      add(
        .msrChanged, at: instruction.address, one.bytes, bytes,
        "\(place) asks for MSR \(hexadecimal(UInt64(number) + 1)) in place of "
          + "\(hexadecimal(UInt64(number))).")
    } else if leaves.contains(number), [0, 7].contains(register.number) {
      guard let bytes = replacingImmediate(of: instruction, one.bytes, by: value &+ 1) else {
        return
      }
      add(
        .leafChanged, at: instruction.address, one.bytes, bytes,
        "\(place) asks for CPUID leaf \(hexadecimal(UInt64(number) + 1)) in place of "
          + "\(hexadecimal(UInt64(number))).")
    }
  }

  /// After CPUID, another of its results taken.
  mutating func changeRegisters() {
    var hasAnswer = false
    var function: String?
    for one in code.instructions {
      let here = kernel.symbols.nearest(to: one.instruction.address)?.name
      if here != function { hasAnswer = false }
      function = here
      guard let encoding = InstructionEncoding(one.bytes) else { continue }
      if encoding.isTwoByte, encoding.opcode == 0xA2 {
        hasAnswer = true
        continue
      }
      if one.instruction.isBranch { hasAnswer = false }
      guard hasAnswer else { continue }
      takeOtherResult(one, encoding)
    }
  }

  private mutating func takeOtherResult(
    _ one: ExecutedInstruction, _ encoding: InstructionEncoding
  ) {
    // mov %reg, r/m: REX.R would make it one of R8 to R15.
    guard !encoding.isTwoByte, encoding.opcode == 0x89, encoding.rex & 4 == 0,
      let modRM = encoding.modRM, encoding.group < 4
    else { return }
    // EAX 0, ECX 1, EDX 2, EBX 3: the next one of the order EAX, EBX, ECX, EDX.
    let next: [UInt8] = [3, 2, 0, 1]
    var changed = one.bytes
    changed[encoding.opcodeOffset + 1] = modRM & ~0x38 | next[Int(encoding.group)] << 3
    let names = ["EAX", "ECX", "EDX", "EBX"]
    add(
      .registerChanged, at: one.instruction.address, one.bytes, changed,
      "\(place(one.instruction.address)) takes \(names[Int(next[Int(encoding.group)])]) of a CPUID "
        + "leaf for its \(names[Int(encoding.group)]).")
  }
}
