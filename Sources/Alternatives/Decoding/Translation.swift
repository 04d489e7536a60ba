internal import CCapstone

extension Decoder {
  /// Capstone's instruction in our words.
  func translate(_ decoded: cs_insn, offset: Int) -> Instruction {
    var instruction = Instruction(
      address: decoded.address, offset: offset, length: Int(decoded.size), kind: .other,
      operation: .other)
    guard let detail = decoded.detail else { return instruction }
    let x86 = detail.pointee.x86
    let end = decoded.address &+ UInt64(decoded.size)
    if x86.op_count > 0 { instruction.destination = operand(x86.operands.0, end: end) }
    if x86.op_count > 1 { instruction.source = operand(x86.operands.1, end: end) }
    instruction.kind = kind(decoded, detail, x86)
    instruction.operation = operation(x86_insn(decoded.id))
    return instruction
  }

  private func kind(_ decoded: cs_insn, _ detail: UnsafeMutablePointer<cs_detail>, _ x86: cs_x86)
    -> Instruction.Kind
  {
    let direct: UInt64? =
      x86.op_count > 0 && x86.operands.0.type == X86_OP_IMM
      ? UInt64(bitPattern: x86.operands.0.imm) : nil
    switch x86_insn(decoded.id) {
    case X86_INS_CALL: return .call(target: direct)
    case X86_INS_JMP: return .jump(target: direct)
    case X86_INS_LCALL: return .call(target: nil)
    case X86_INS_LJMP: return .jump(target: nil)
    case X86_INS_RET: return .ret
    case X86_INS_IRET, X86_INS_IRETD, X86_INS_IRETQ, X86_INS_SYSRET, X86_INS_SYSEXIT,
      X86_INS_RETF, X86_INS_RETFQ:
      return .systemReturn
    case X86_INS_LFENCE: return .fence
    case X86_INS_INT3, X86_INS_HLT: return .trap
    case X86_INS_UD0, X86_INS_UD2, bhb_x86_ins_ud1: return .undefined
    case X86_INS_LOOP, X86_INS_LOOPE, X86_INS_LOOPNE, X86_INS_JRCXZ, X86_INS_JECXZ,
      X86_INS_XBEGIN:
      return .conditional(target: direct)
    default:
      let isJump = withUnsafeBytes(of: detail.pointee.groups) {
        $0.prefix(Int(detail.pointee.groups_count)).contains(UInt8(CS_GRP_JUMP.rawValue))
      }
      return isJump ? .conditional(target: direct) : .other
    }
  }

  private func operation(_ id: x86_insn) -> Instruction.Operation {
    switch id {
    case X86_INS_MOV, X86_INS_MOVABS: .move
    case X86_INS_MOVZX, X86_INS_MOVSX, X86_INS_MOVSXD: .extendingMove
    case X86_INS_SUB: .subtract
    case X86_INS_DEC: .decrement
    case X86_INS_ADD: .add
    case X86_INS_XOR: .exclusiveOr
    case X86_INS_PUSH: .push
    case X86_INS_POP: .pop
    case X86_INS_LEA: .loadAddress
    default: .other
    }
  }

  private func operand(_ operand: cs_x86_op, end: UInt64) -> Instruction.Operand {
    switch operand.type {
    case X86_OP_REG: return Register(capstone: operand.reg).map { .register($0) } ?? .other
    case X86_OP_IMM: return .immediate(operand.imm)
    case X86_OP_MEM:
      let memory = operand.mem
      var address: UInt64?
      if memory.index == X86_REG_INVALID, memory.segment == X86_REG_INVALID {
        if memory.base == X86_REG_RIP {
          address = end &+ UInt64(bitPattern: memory.disp)
        } else if memory.base == X86_REG_INVALID {
          address = UInt64(bitPattern: memory.disp)
        }
      }
      return .memory(
        Instruction.Memory(
          address: address, base: Register(capstone: memory.base),
          isIndexed: memory.index != X86_REG_INVALID,
          isSegmented: memory.segment != X86_REG_INVALID, displacement: memory.disp,
          size: Int(operand.size)))
    default: return .other
    }
  }
}

extension Register {
  /// Capstone's register; nil if it is not general-purpose.
  init?(capstone id: x86_reg) {
    let index = Int(id.rawValue)
    guard Self.byID.indices.contains(index), let register = Self.byID[index] else { return nil }
    self = register
  }

  private static let byID: [Register?] = {
    var table = [Register?](repeating: nil, count: Int(X86_REG_ENDING.rawValue))
    for (part, names) in names {
      for (number, name) in names.enumerated() {
        table[Int(name.rawValue)] = Register(number: UInt8(number), part: part)
      }
    }
    return table
  }()

  /// In the order of the numbers in machine code. `ah`, `ch`, `dh`, `bh` belong to 0 to 3.
  private static let names: [(Part, [x86_reg])] = [
    (
      .qword,
      [
        X86_REG_RAX, X86_REG_RCX, X86_REG_RDX, X86_REG_RBX, X86_REG_RSP, X86_REG_RBP, X86_REG_RSI,
        X86_REG_RDI, X86_REG_R8, X86_REG_R9, X86_REG_R10, X86_REG_R11, X86_REG_R12, X86_REG_R13,
        X86_REG_R14, X86_REG_R15,
      ]
    ),
    (
      .dword,
      [
        X86_REG_EAX, X86_REG_ECX, X86_REG_EDX, X86_REG_EBX, X86_REG_ESP, X86_REG_EBP, X86_REG_ESI,
        X86_REG_EDI, X86_REG_R8D, X86_REG_R9D, X86_REG_R10D, X86_REG_R11D, X86_REG_R12D,
        X86_REG_R13D, X86_REG_R14D, X86_REG_R15D,
      ]
    ),
    (
      .low8,
      [
        X86_REG_AL, X86_REG_CL, X86_REG_DL, X86_REG_BL, X86_REG_SPL, X86_REG_BPL, X86_REG_SIL,
        X86_REG_DIL, X86_REG_R8B, X86_REG_R9B, X86_REG_R10B, X86_REG_R11B, X86_REG_R12B,
        X86_REG_R13B, X86_REG_R14B, X86_REG_R15B,
      ]
    ),
    (.high8, [X86_REG_AH, X86_REG_CH, X86_REG_DH, X86_REG_BH]),
    (
      .word,
      [
        X86_REG_AX, X86_REG_CX, X86_REG_DX, X86_REG_BX, X86_REG_SP, X86_REG_BP, X86_REG_SI,
        X86_REG_DI, X86_REG_R8W, X86_REG_R9W, X86_REG_R10W, X86_REG_R11W, X86_REG_R12W,
        X86_REG_R13W, X86_REG_R14W, X86_REG_R15W,
      ]
    ),
  ]
}
