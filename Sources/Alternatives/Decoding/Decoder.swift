internal import CCapstone

/// Why no decoder could be made.
public struct DecoderError: Error, Sendable, Hashable, CustomStringConvertible {
  public var message: String

  public init(_ message: String) { self.message = message }

  public var description: String { message }
}

/// Owns a Capstone handle (`csh`) for x86-64 and the one instruction that it decodes into.
///
/// Not for several threads at once. A small table (`DecodingGap`) goes first where Capstone 4.0.2
/// does not know an instruction or gets it wrong.
public struct Decoder: ~Copyable {
  let handle: csh
  let slot: UnsafeMutablePointer<cs_insn>

  /// Opens Capstone (`cs_open`).
  public init() throws(DecoderError) {
    _ = Decoder.sharedTables
    var handle: csh = 0
    let opened = cs_open(CS_ARCH_X86, CS_MODE_64, &handle)
    guard opened == CS_ERR_OK else { throw Decoder.failure("cs_open", opened) }
    let detailed = cs_option(handle, CS_OPT_DETAIL, Int(CS_OPT_ON.rawValue))
    guard detailed == CS_ERR_OK else {
      cs_close(&handle)
      throw Decoder.failure("cs_option(CS_OPT_DETAIL)", detailed)
    }
    guard let slot = cs_malloc(handle) else {
      let error = cs_errno(handle)
      cs_close(&handle)
      throw Decoder.failure("cs_malloc", error)
    }
    self.handle = handle
    self.slot = slot
  }

  deinit {
    cs_free(slot, 1)
    var handle = handle
    cs_close(&handle)
  }

  /// Has Capstone make the table that all its handles share, on one thread.
  ///
  /// Capstone 4.0.2 sorts its list of implicit registers (X86_insn_reg_intel) when the first
  /// instruction such as `sub $1, %al` is decoded, without a lock: threads that do so at the same
  /// time lose the register.
  private static let sharedTables: Void = {
    var handle: csh = 0
    guard cs_open(CS_ARCH_X86, CS_MODE_64, &handle) == CS_ERR_OK else { return }
    defer { cs_close(&handle) }
    for syntax in [CS_OPT_SYNTAX_ATT, CS_OPT_SYNTAX_INTEL] {
      guard cs_option(handle, CS_OPT_DETAIL, Int(CS_OPT_ON.rawValue)) == CS_ERR_OK,
        cs_option(handle, CS_OPT_SYNTAX, Int(syntax.rawValue)) == CS_ERR_OK
      else { return }
      var instructions: UnsafeMutablePointer<cs_insn>?
      let count = cs_disasm(handle, [0x2C, 0x01], 2, 0, 0, &instructions)
      if count > 0 { cs_free(instructions, count) }
    }
  }()

  private static func failure(_ call: String, _ error: cs_err) -> DecoderError {
    DecoderError("\(call): \(cs_strerror(error).map { String(cString: $0) } ?? "unknown error")")
  }

  /// The instruction at the start of `bytes`, which lie at `address`; nil if there is none.
  public func one(_ bytes: UnsafeRawBufferPointer, at address: UInt64) -> Instruction? {
    instruction(in: bytes, offset: 0, address: address)
  }

  /// The instructions in `bytes`, one after the other, at most `limit` of them.
  ///
  /// Stops at a byte that cannot be decoded: the last instruction is then `.undecodable`, one byte
  /// long. Code with such an end is never to be taken for fully decoded.
  public func decode(_ bytes: UnsafeRawBufferPointer, at address: UInt64, limit: Int? = nil)
    -> [Instruction]
  {
    var instructions: [Instruction] = []
    var offset = 0
    while offset < bytes.count, instructions.count < limit ?? .max {
      let here = address &+ UInt64(offset)
      guard let next = instruction(in: bytes, offset: offset, address: here) else {
        instructions.append(
          Instruction(
            address: here, offset: offset, length: 1, kind: .undecodable, operation: .other))
        break
      }
      instructions.append(next)
      offset += next.length
    }
    return instructions
  }

  /// Instructions in AT&T syntax, as the kernel's own assembly is written; separated by `"; "`.
  /// A byte that cannot be decoded ends the text with `(bad)`.
  ///
  /// `name` may give the target of a branch a name, which is written instead of the address.
  public func text(
    of bytes: UnsafeRawBufferPointer, at address: UInt64,
    naming name: (Instruction) -> String? = { _ in nil }
  ) -> String {
    let names = decode(bytes, at: address).filter(\.isBranch).reduce(into: [Int: String]()) {
      $0[$1.offset] = name($1)
    }
    // The syntax also turns round the operands, so it is on only while text is made.
    guard cs_option(handle, CS_OPT_SYNTAX, Int(CS_OPT_SYNTAX_ATT.rawValue)) == CS_ERR_OK else {
      return ""
    }
    defer { _ = cs_option(handle, CS_OPT_SYNTAX, Int(CS_OPT_SYNTAX_INTEL.rawValue)) }
    var lines: [String] = []
    var offset = 0
    while offset < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
      if let (gap, length) = DecodingGap.match(rest) {
        lines.append(gap.name)
        offset += length
      } else if capstone(rest, at: address &+ UInt64(offset)) {
        let name = Self.string(&slot.pointee.mnemonic)
        let operands = names[offset] ?? Self.operands(Self.string(&slot.pointee.op_str), of: name)
        lines.append(operands.isEmpty ? name : "\(name) \(operands)")
        offset += Int(slot.pointee.size)
      } else {
        lines.append("(bad)")
        break
      }
    }
    return lines.joined(separator: "; ")
  }

  /// The operands as Capstone 4 writes them.
  ///
  /// Capstone 5 writes a first constant that is negative as a large decimal number.
  private static func operands(_ text: String, of name: String) -> String {
    guard text.hasPrefix("$") else { return text }
    let digits = text.dropFirst().prefix { $0.isASCII && $0.isNumber }
    let rest = text.dropFirst(1 + digits.count)
    guard rest.isEmpty || rest.hasPrefix(","), let value = UInt64(digits), value > Int64.max
    else { return text }
    let magnitude = 0 &- value
    let constant =
      name == "movabsq"
      ? "0x\(String(value, radix: 16))"
      : magnitude > 9 ? "-0x\(String(magnitude, radix: 16))" : "-\(magnitude)"
    return "$\(constant)\(rest)"
  }

  /// Whether LFENCE stands in `bytes` in front of any branch.
  func reachesBarrier(_ bytes: UnsafeRawBufferPointer, at address: UInt64) -> Bool {
    for instruction in decode(bytes, at: address, limit: 32) {
      if instruction.kind == .fence { return true }
      if instruction.isBranch || !instruction.fallsThrough { return false }
    }
    return false
  }

  /// A C array of characters that ends at its first zero.
  private static func string<Characters>(_ characters: inout Characters) -> String {
    withUnsafeBytes(of: &characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }

  private func instruction(in bytes: UnsafeRawBufferPointer, offset: Int, address: UInt64)
    -> Instruction?
  {
    guard offset >= 0, offset < bytes.count else { return nil }
    let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
    if let (gap, length) = DecodingGap.match(rest) {
      return Instruction(
        address: address, offset: offset, length: length, kind: gap.kind, operation: gap.operation)
    }
    guard capstone(rest, at: address) else { return nil }
    return translate(slot.pointee, offset: offset)
  }

  /// Decodes into `slot`; false if Capstone does not know the bytes.
  func capstone(_ bytes: UnsafeRawBufferPointer, at address: UInt64) -> Bool {
    var code = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    // No instruction is longer than 15 bytes.
    var size = min(bytes.count, 15)
    var address = address
    return cs_disasm_iter(handle, &code, &size, &address, slot)
  }
}
