internal import CCapstone

/// The registers that an instruction reads and writes, as sets of bits.
///
/// Bits 0 to 15 are the general registers by their number in machine code; the flags and all other
/// registers have one bit each.
public struct RegisterUse: Sendable, Hashable {
  public static let flags: UInt32 = 1 << 16
  public static let others: UInt32 = 1 << 17

  public var reads: UInt32
  public var writes: UInt32
  /// Those of `writes` of which nothing is left of what they held before.
  public var replaces: UInt32

  public init(reads: UInt32 = 0, writes: UInt32 = 0, replaces: UInt32 = 0) {
    self.reads = reads
    self.writes = writes
    self.replaces = replaces
  }
}

extension Decoder {
  /// The registers that the instruction at the start of `bytes` uses, implicit ones among them
  /// (`cs_regs_access`); nil if it cannot be decoded.
  public func registers(of bytes: UnsafeRawBufferPointer, at address: UInt64) -> RegisterUse? {
    if DecodingGap.match(bytes) != nil { return RegisterUse() }
    guard capstone(bytes, at: address) else { return nil }
    var read: cs_regs = Self.noRegisters
    var written: cs_regs = Self.noRegisters
    var (readCount, writtenCount): (UInt8, UInt8) = (0, 0)
    let error = withUnsafeMutableBytes(of: &read) { read in
      withUnsafeMutableBytes(of: &written) { written in
        cs_regs_access(
          handle, slot, read.assumingMemoryBound(to: UInt16.self).baseAddress, &readCount,
          written.assumingMemoryBound(to: UInt16.self).baseAddress, &writtenCount)
      }
    }
    guard error == CS_ERR_OK else { return nil }
    var use = RegisterUse()
    Self.visit(read, readCount) { bit, _ in use.reads |= bit }
    Self.visit(written, writtenCount) { bit, part in
      use.writes |= bit
      if part == .qword || part == .dword || bit == RegisterUse.flags { use.replaces |= bit }
    }
    if isZeroing { use.reads = 0 }
    // Capstone 4 has TEST with a constant write AL, EAX or RAX, which it only reads.
    if x86_insn(slot.pointee.id) == X86_INS_TEST {
      use.writes &= RegisterUse.flags
      use.replaces &= RegisterUse.flags
    }
    // Capstone 5 leaves out that the register keeps what it held if the condition does not hold.
    if isConditionalMove { use.reads |= use.writes }
    return use
  }

  private static let noRegisters: cs_regs = (
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
  )

  private static func visit(
    _ registers: cs_regs, _ count: UInt8, _ body: (UInt32, Register.Part?) -> Void
  ) {
    withUnsafeBytes(of: registers) { raw in
      for number in raw.bindMemory(to: UInt16.self).prefix(Int(count)) {
        let id = x86_reg(UInt32(number))
        if let register = Register(capstone: id) {
          body(1 << UInt32(register.number), register.part)
        } else if id != X86_REG_RIP, id != X86_REG_EIP {
          body(id == X86_REG_EFLAGS ? RegisterUse.flags : RegisterUse.others, nil)
        }
      }
    }
  }

  private var isConditionalMove: Bool {
    bhb_x86_is_cmov(x86_insn(slot.pointee.id))
  }

  /// XOR and SUB of a register with itself: the result does not depend on it.
  private var isZeroing: Bool {
    let id = x86_insn(slot.pointee.id)
    guard id == X86_INS_XOR || id == X86_INS_SUB, let detail = slot.pointee.detail else {
      return false
    }
    let x86 = detail.pointee.x86
    return x86.op_count == 2 && x86.operands.0.type == X86_OP_REG
      && x86.operands.1.type == X86_OP_REG && x86.operands.0.reg == x86.operands.1.reg
  }
}
