internal import Alternatives
internal import Mitigation

/// Instructions that the emulator would answer by itself, with values of a machine that nobody
/// described, or pass over.
enum NativeAccess: Hashable, Sendable {
  case readMSR, writeMSR, readCounter
  case systemCall, systemReturn, systemEntry, systemExit

  /// What it is and why it does not run.
  var text: String {
    switch self {
    case .readMSR: "rdmsr that the exception table does not list"
    case .writeMSR: "wrmsr that the exception table does not list"
    case .readCounter: "rdpmc, whose counters nobody described"
    case .systemCall: "syscall, for which there is no kernel below this one"
    case .systemReturn: "sysret, for which there is no user space"
    case .systemEntry: "sysenter, for which there is no kernel below this one"
    case .systemExit: "sysexit, for which there is no user space"
    }
  }

  /// The second byte of 0F xx (Intel SDM vol. 2B).
  init?(opcode: UInt8) {
    switch opcode {
    case 0x05: self = .systemCall
    case 0x07: self = .systemReturn
    case 0x30: self = .writeMSR
    case 0x32: self = .readMSR
    case 0x33: self = .readCounter
    case 0x34: self = .systemEntry
    case 0x35: self = .systemExit
    default: return nil
    }
  }

  /// The first such instruction of a block; nil if it has none.
  ///
  /// The MSR accesses that the machine answers were replaced in its memory, so one that is still
  /// there has no entry in the exception table.
  static func first(
    in code: UnsafeRawBufferPointer, at address: UInt64, _ decoder: borrowing Decoder
  ) -> (access: NativeAccess, address: UInt64)? {
    // Hardly any block holds these bytes, so hardly any has to be decoded.
    var mayHold = false
    for index in 0..<max(0, code.count - 1) where code[index] == 0x0f {
      if NativeAccess(opcode: code[index + 1]) != nil { mayHold = true }
    }
    guard mayHold else { return nil }
    for instruction in decoder.decode(code, at: address) where instruction.length >= 2 {
      let end = instruction.range.upperBound
      guard code[end - 2] == 0x0f, let access = NativeAccess(opcode: code[end - 1]),
        // Without operands these end with their opcode; prefixes may stand in front.
        instruction.destination == nil, instruction.source == nil
      else { continue }
      return (access, instruction.address)
    }
    return nil
  }
}

extension MachineState {
  /// Looks at a block of the image that has not run yet, and notes it.
  ///
  /// - Returns: why it must not run; the block stays unknown then, so that every path hears of it.
  func meet(_ block: BlockRun) -> Failure? {
    if let offset = map.offset(of: block.address, count: Int(block.size)) {
      let code = UnsafeRawBufferPointer(start: arena + offset, count: Int(block.size))
      if let found = NativeAccess.first(in: code, at: block.address, decoder) {
        return .native(found.access, at: found.address)
      }
    }
    seen.insert(block)
    return nil
  }

  /// What reading an I/O port gives; nil: nobody knows.
  func readPort(_ port: UInt16) -> UInt32? {
    plan.ports.first { $0.port.value == UInt32(port) }?.value.value
  }
}
