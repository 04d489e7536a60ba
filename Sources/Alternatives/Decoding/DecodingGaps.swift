/// Instructions that Capstone 4.0.2 does not know, or decodes wrongly, and that kernels hold.
///
/// All of them are in the opcode map behind 0F. Encodings: Intel SDM volume 2; AMD APM volume 3
/// for the SEV-SNP ones; Intel's FRED specification; IBHF: Intel, "Branch History Injection".
struct DecodingGap: Sendable {
  enum Prefix: Sendable { case none, x66, xF2, xF3 }
  enum Form: Sendable {
    /// No ModRM byte follows.
    case bare
    /// The ModRM byte is part of the opcode.
    case exact(UInt8)
    /// The reg field of a ModRM byte with a register operand is.
    case registerForm(reg: UInt8)
    /// The reg field of a ModRM byte with a memory operand is.
    case memoryForm(reg: UInt8)
    /// The reg field of a ModRM byte with any operand is.
    case group(reg: UInt8)
    /// Any ModRM byte follows.
    case any
  }

  var name: String
  var prefix: Prefix?
  /// The bytes behind 0F.
  var opcode: [UInt8]
  var form: Form
  var kind: Instruction.Kind = .other
  var operation: Instruction.Operation = .other

  static let all: [DecodingGap] = [
    DecodingGap(
      name: "ibhf", prefix: .xF3, opcode: [0x1E], form: .exact(0xF8),
      operation: .branchHistoryFence),
    DecodingGap(name: "rdssp", prefix: .xF3, opcode: [0x1E], form: .registerForm(reg: 1)),
    // Capstone takes the next two families for lfence, which would count as a barrier.
    DecodingGap(name: "incssp", prefix: .xF3, opcode: [0xAE], form: .registerForm(reg: 5)),
    DecodingGap(name: "umonitor", prefix: .xF3, opcode: [0xAE], form: .registerForm(reg: 6)),
    DecodingGap(name: "umwait", prefix: .xF2, opcode: [0xAE], form: .registerForm(reg: 6)),
    DecodingGap(name: "tpause", prefix: .x66, opcode: [0xAE], form: .registerForm(reg: 6)),
    DecodingGap(name: "clrssbsy", prefix: .xF3, opcode: [0xAE], form: .memoryForm(reg: 6)),
    DecodingGap(name: "setssbsy", prefix: .xF3, opcode: [0x01], form: .exact(0xE8)),
    DecodingGap(name: "saveprevssp", prefix: .xF3, opcode: [0x01], form: .exact(0xEA)),
    DecodingGap(name: "rstorssp", prefix: .xF3, opcode: [0x01], form: .memoryForm(reg: 5)),
    DecodingGap(name: "serialize", prefix: Prefix.none, opcode: [0x01], form: .exact(0xE8)),
    DecodingGap(name: "xsusldtrk", prefix: .xF2, opcode: [0x01], form: .exact(0xE8)),
    DecodingGap(name: "xresldtrk", prefix: .xF2, opcode: [0x01], form: .exact(0xE9)),
    DecodingGap(name: "rdpkru", prefix: Prefix.none, opcode: [0x01], form: .exact(0xEE)),
    DecodingGap(name: "wrpkru", prefix: Prefix.none, opcode: [0x01], form: .exact(0xEF)),
    DecodingGap(name: "wrmsrns", prefix: Prefix.none, opcode: [0x01], form: .exact(0xC6)),
    DecodingGap(name: "rdmsrlist", prefix: .xF2, opcode: [0x01], form: .exact(0xC6)),
    DecodingGap(name: "wrmsrlist", prefix: .xF3, opcode: [0x01], form: .exact(0xC6)),
    DecodingGap(name: "pconfig", prefix: Prefix.none, opcode: [0x01], form: .exact(0xC5)),
    DecodingGap(
      name: "erets", prefix: .xF2, opcode: [0x01], form: .exact(0xCA), kind: .systemReturn),
    DecodingGap(
      name: "eretu", prefix: .xF3, opcode: [0x01], form: .exact(0xCA), kind: .systemReturn),
    DecodingGap(name: "tdcall", prefix: .x66, opcode: [0x01], form: .exact(0xCC)),
    DecodingGap(name: "seamret", prefix: .x66, opcode: [0x01], form: .exact(0xCD)),
    DecodingGap(name: "seamops", prefix: .x66, opcode: [0x01], form: .exact(0xCE)),
    DecodingGap(name: "seamcall", prefix: .x66, opcode: [0x01], form: .exact(0xCF)),
    DecodingGap(name: "monitorx", prefix: Prefix.none, opcode: [0x01], form: .exact(0xFA)),
    DecodingGap(name: "mwaitx", prefix: Prefix.none, opcode: [0x01], form: .exact(0xFB)),
    DecodingGap(name: "rdpru", prefix: Prefix.none, opcode: [0x01], form: .exact(0xFD)),
    DecodingGap(name: "psmash", prefix: .xF3, opcode: [0x01], form: .exact(0xFF)),
    DecodingGap(name: "pvalidate", prefix: .xF2, opcode: [0x01], form: .exact(0xFF)),
    DecodingGap(name: "rmpadjust", prefix: .xF3, opcode: [0x01], form: .exact(0xFE)),
    DecodingGap(name: "rmpupdate", prefix: .xF2, opcode: [0x01], form: .exact(0xFE)),
    DecodingGap(name: "rmpquery", prefix: .xF3, opcode: [0x01], form: .exact(0xFD)),
    DecodingGap(name: "rmpread", prefix: .xF2, opcode: [0x01], form: .exact(0xFD)),
    DecodingGap(name: "invlpgb", prefix: Prefix.none, opcode: [0x01], form: .exact(0xFE)),
    DecodingGap(name: "tlbsync", prefix: Prefix.none, opcode: [0x01], form: .exact(0xFF)),
    DecodingGap(name: "lkgs", prefix: .xF2, opcode: [0x00], form: .group(reg: 6)),
    DecodingGap(name: "wbnoinvd", prefix: .xF3, opcode: [0x09], form: .bare),
    DecodingGap(name: "cldemote", prefix: nil, opcode: [0x1C], form: .any),
    // Capstone leaves out the ModRM byte, so that what follows loses step. The kernel's WARN()
    // (`ud1 (%edx), %rdi`, arch/x86/include/asm/bug.h) is one.
    DecodingGap(name: "ud1", prefix: nil, opcode: [0xB9], form: .any, kind: .undefined),
    DecodingGap(name: "ud0", prefix: nil, opcode: [0xFF], form: .any, kind: .undefined),
    DecodingGap(name: "movdir64b", prefix: .x66, opcode: [0x38, 0xF8], form: .any),
    DecodingGap(name: "enqcmd", prefix: .xF2, opcode: [0x38, 0xF8], form: .any),
    DecodingGap(name: "enqcmds", prefix: .xF3, opcode: [0x38, 0xF8], form: .any),
    DecodingGap(name: "wrss", prefix: Prefix.none, opcode: [0x38, 0xF6], form: .any),
    DecodingGap(name: "wruss", prefix: .x66, opcode: [0x38, 0xF5], form: .any),
    DecodingGap(name: "movdiri", prefix: Prefix.none, opcode: [0x38, 0xF9], form: .any),
  ]

  /// The row that the bytes at the start of `code` match, with the length of the instruction.
  static func match(_ code: UnsafeRawBufferPointer) -> (gap: DecodingGap, length: Int)? {
    var position = 0
    var prefix = Prefix.none
    prefixes: while position < min(code.count, 14) {
      switch code[position] {
      // Of several mandatory prefixes F2 and F3 win over 66.
      case 0x66: if prefix == .none { prefix = .x66 }
      case 0xF2: prefix = .xF2
      case 0xF3: prefix = .xF3
      case 0x67, 0x2E, 0x36, 0x3E, 0x26, 0x64, 0x65: break
      default: break prefixes
      }
      position += 1
    }
    if position < code.count, code[position] & 0xF0 == 0x40 { position += 1 }
    guard position + 1 < code.count, code[position] == 0x0F else { return nil }
    let opcode = UnsafeRawBufferPointer(rebasing: code[(position + 1)...])
    // Nearly every instruction ends here.
    guard mayOpen(opcode[0]) else { return nil }
    for gap in all where gap.prefix == nil || gap.prefix == prefix {
      guard opcode.count >= gap.opcode.count,
        opcode.prefix(gap.opcode.count).elementsEqual(gap.opcode)
      else { continue }
      let head = position + 1 + gap.opcode.count
      let rest = UnsafeRawBufferPointer(rebasing: code[head...])
      if case .bare = gap.form { return (gap, head) }
      guard let modRM = rest.first, gap.form.accepts(modRM), let operand = operandLength(rest)
      else { continue }
      return head + operand <= 15 ? (gap, head + operand) : nil
    }
    return nil
  }

  private static func mayOpen(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x00, 0x01, 0x09, 0x1C, 0x1E, 0x38, 0xAE, 0xB9, 0xFF: true
    default: false
    }
  }

  /// The bytes of a ModRM operand: ModRM, SIB, displacement; nil if they are cut off.
  private static func operandLength(_ bytes: UnsafeRawBufferPointer) -> Int? {
    guard let modRM = bytes.first else { return nil }
    let mod = modRM >> 6
    let rm = modRM & 7
    var length = 1
    if mod != 3 {
      var noBase = mod == 0 && rm == 5
      if rm == 4 {
        guard bytes.count > 1 else { return nil }
        length += 1
        noBase = mod == 0 && bytes[1] & 7 == 5
      }
      switch mod {
      case 0: length += noBase ? 4 : 0
      case 1: length += 1
      default: length += 4
      }
    }
    return length <= bytes.count ? length : nil
  }
}

extension DecodingGap.Form {
  func accepts(_ modRM: UInt8) -> Bool {
    let reg = modRM >> 3 & 7
    return switch self {
    case .bare: true
    case .exact(let byte): modRM == byte
    case .registerForm(let wanted): reg == wanted && modRM >> 6 == 3
    case .memoryForm(let wanted): reg == wanted && modRM >> 6 != 3
    case .group(let wanted): reg == wanted
    case .any: true
    }
  }
}
