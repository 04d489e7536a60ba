/// One decoded instruction: what control flow and the search for counts need of it.
///
/// It holds no text; `Decoder.text(of:at:)` makes that when somebody wants to read it.
public struct Instruction: Sendable, Hashable {
  /// What the instruction does to control flow. A target is nil where it is not in the code
  /// (an indirect branch).
  public enum Kind: Sendable, Hashable {
    case call(target: UInt64?)
    case jump(target: UInt64?)
    case conditional(target: UInt64?)
    /// A near return.
    case ret
    /// `iret`, `sysret`, `sysexit`, `eretu`, `erets`: leaves through another mechanism.
    case systemReturn
    /// `lfence`: later instructions do not run, not even speculatively, before earlier ones are
    /// done (Intel SDM volume 2, LFENCE).
    case fence
    /// `int3`, `hlt`: what stands behind is not reached in normal flow.
    case trap
    /// `ud0`, `ud1`, `ud2`: the kernel's WARN() goes on behind it, its BUG() does not.
    case undefined
    case other
    /// A byte that could not be decoded; the last one of what `Decoder.decode` returns.
    case undecodable
  }

  /// The operations that matter to loops and counts.
  public enum Operation: Sendable, Hashable {
    /// `mov` and `movabs`.
    case move
    /// `movzx`, `movsx`, `movsxd`.
    case extendingMove
    case subtract
    case decrement
    case add
    case exclusiveOr
    case push
    case pop
    case loadAddress
    /// `ibhf`, the fence of the indirect branch history (Intel, "Branch History Injection").
    case branchHistoryFence
    case other
  }

  /// A memory operand: base + index * scale + displacement.
  public struct Memory: Sendable, Hashable {
    /// The address, where the code alone says it: rip-relative, or absolute.
    public var address: UInt64?
    public var base: Register?
    /// Whether an index register takes part.
    public var isIndexed: Bool
    /// A segment register other than the default takes part (`%gs:`).
    public var isSegmented: Bool
    public var displacement: Int64
    /// The bytes that are read or written.
    public var size: Int
  }

  public enum Operand: Sendable, Hashable {
    case register(Register)
    case immediate(Int64)
    case memory(Memory)
    /// A register that is not general-purpose (segment, control, vector).
    case other
  }

  public var address: UInt64
  /// Where it begins in the bytes that were decoded.
  public var offset: Int
  /// In bytes; 1 for an undecodable one.
  public var length: Int
  public var kind: Kind
  public var operation: Operation
  /// In Intel's order: the first one is the destination.
  public var destination: Operand?
  public var source: Operand?

  /// The address behind it.
  public var end: UInt64 { address &+ UInt64(length) }

  /// Its place in the bytes that were decoded.
  public var range: Range<Int> { offset..<(offset + length) }

  /// The target of a direct branch.
  public var target: UInt64? {
    switch kind {
    case .call(let target), .jump(let target), .conditional(let target): target
    default: nil
    }
  }

  public var memory: Memory? {
    if case .memory(let memory)? = destination { return memory }
    if case .memory(let memory)? = source { return memory }
    return nil
  }

  /// The immediate, which is always the last operand; not a branch's target.
  public var immediate: Int64? {
    if case .immediate(let value)? = source { return value }
    if source == nil, target == nil, case .immediate(let value)? = destination { return value }
    return nil
  }

  /// The register that is written, or read and written, as the first operand.
  public var destinationRegister: Register? {
    if case .register(let register)? = destination { return register }
    return nil
  }

  public var isBranch: Bool {
    switch kind {
    case .call, .jump, .conditional, .ret, .systemReturn: true
    default: false
    }
  }

  /// Whether control can go on at `end`. A call is taken to return.
  public var fallsThrough: Bool {
    switch kind {
    case .jump, .ret, .systemReturn, .trap, .undecodable: false
    case .call, .conditional, .fence, .undefined, .other: true
    }
  }
}
