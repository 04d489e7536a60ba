/// What the replacement of a site does besides running the sequence.
public struct Replacement: Sendable, Hashable {
  /// A register that is loaded with a constant before the sequence runs: a count, where the
  /// sequence takes its counts from its caller.
  public struct Load: Sendable, Hashable {
    public var register: Register
    public var value: Int64
  }

  /// The address of the function of the sequence; nil for a module's if the kernel has none.
  public var target: UInt64?
  public var loads: [Load]
  /// Whether LFENCE follows the call inside the replacement.
  public var hasBarrier: Bool
  /// Whether the replacement was decoded to its end.
  public var isFullyDecoded: Bool

  /// Decodes `bytes` at `address`; nil if they neither call nor jump to one of `targets`.
  init?(
    _ bytes: UnsafeRawBufferPointer, at address: UInt64, targets: [UInt64],
    _ decoder: borrowing Decoder
  ) {
    guard Self.mayReach(targets, bytes, at: address) else { return nil }
    let instructions = decoder.decode(bytes, at: address)
    guard
      let index = instructions.firstIndex(where: { instruction in
        switch instruction.kind {
        case .call(let target?), .jump(let target?): targets.contains(target)
        default: false
        }
      }), let target = instructions[index].target
    else { return nil }
    self.init(instructions, call: index, target: target)
  }

  init(_ instructions: [Instruction], call: Int, target: UInt64?) {
    self.target = target
    loads = instructions[..<call].compactMap { instruction in
      guard instruction.operation == .move, let register = instruction.destinationRegister,
        let value = instruction.immediate
      else { return nil }
      return Load(register: register, value: value)
    }
    hasBarrier = instructions[(call + 1)...].contains { $0.kind == .fence }
    isFullyDecoded = instructions.last?.kind != .undecodable
  }

  /// Whether any four bytes are the displacement from their end to a target: nearly every
  /// replacement ends here, without being decoded.
  private static func mayReach(
    _ targets: [UInt64], _ bytes: UnsafeRawBufferPointer, at address: UInt64
  ) -> Bool {
    guard bytes.count >= 5 else { return false }
    for offset in 1...(bytes.count - 4) {
      let displacement = Int64(bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self))
      let target = address &+ UInt64(offset + 4) &+ UInt64(bitPattern: displacement)
      if targets.contains(target) { return true }
    }
    return false
  }
}
