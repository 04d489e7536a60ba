public import KernelImage
public import Mitigation

/// A function of the image that runs a clearing sequence, with everything its code says.
public struct SequenceFunction: Sendable, Hashable {
  public var symbol: String
  public var address: UInt64
  /// From the entry to the end of the last instruction that control flow reaches, in bytes: the
  /// same whatever the symbols came from.
  public var size: Int
  /// Where the counts come from; nil if the code does not show it.
  public var shape: SequenceShape?
  /// The nested loops; nil if there are none.
  public var loops: LoopStructure?
  public var outerCount: CountSource?
  public var innerCount: CountSource?
  /// The alternatives entries inside the function.
  public var alternatives: [AlternativeEntry]
  /// Where each return lies once the kernel has patched it.
  public var returns: [ReturnPlacement]
  /// Whether every way through the function passes LFENCE; nil if it could not be followed.
  public var barrier: Bool?
  /// The instructions that control flow reaches, in ascending order of address.
  public var instructions: [Instruction]
  /// Whether all of the function could be decoded.
  public var isFullyDecoded: Bool

  /// The addresses of the function.
  public var range: Range<UInt64> { address..<(address + UInt64(size)) }

  /// The variables the counts are read from, without repetition: the outer loop's first.
  public var variables: [CountVariable] {
    var found: [CountVariable] = []
    for case .variable(let variable)? in [outerCount, innerCount] where !found.contains(variable) {
      found.append(variable)
    }
    return found
  }

  /// The registers that a caller has to load with the counts: outer, inner.
  public var callerRegisters: (outer: Register?, inner: Register?) {
    var registers: (outer: Register?, inner: Register?)
    if case .caller(let register)? = outerCount { registers.outer = register }
    if case .caller(let register)? = innerCount { registers.inner = register }
    return registers
  }

  /// Why the shape is not known; nil if it is.
  public var unclear: String? {
    if !isFullyDecoded { return "the function could not be decoded to its end" }
    if loops == nil { return "no two nested loops were found" }
    if shape == nil { return "the counts could not be followed to where they come from" }
    return nil
  }
}

/// The functions of an image that run a clearing sequence.
public struct SequenceFunctions: Sendable, Hashable {
  /// In the order of the names' list.
  public let functions: [SequenceFunction]

  init(functions: [SequenceFunction]) { self.functions = functions }

  /// Finds them by symbol.
  public init(_ kernel: KernelImage, _ table: AlternativesTable, _ decoder: borrowing Decoder) {
    var functions: [SequenceFunction] = []
    let thunks = ReturnThunks.names.flatMap { kernel.symbols.addresses(of: $0) }
    for symbol in SequenceSymbol.known {
      for address in kernel.symbols.addresses(of: symbol.name)
      where !functions.contains(where: { $0.address == address }) {
        guard let bytes = Self.code(at: address, in: kernel) else { continue }
        let code = FunctionCode(bytes, at: address, thunks: thunks, decoder)
        functions.append(
          SequenceFunction(symbol.name, code, entries: table.entries) {
            Self.variable($0, in: kernel)
          })
      }
    }
    self.functions = functions
  }

  public var isEmpty: Bool { functions.isEmpty }

  /// The function that a report describes: the first that the kernel has.
  public var primary: SequenceFunction? { functions.first }

  /// The function that lies around an address.
  public func containing(_ address: UInt64) -> SequenceFunction? {
    functions.first { $0.range.contains(address) }
  }

  /// The function that begins at an address.
  public func starting(at address: UInt64) -> SequenceFunction? {
    functions.first { $0.address == address }
  }

  /// The code from a function's entry on, as far as it may be the function's.
  private static func code(at address: UInt64, in kernel: KernelImage) -> UnsafeRawBufferPointer? {
    guard let segment = kernel.segments.first(where: { $0.backed.contains(address) }) else {
      return nil
    }
    var count = min(UInt64(FunctionCode.window), segment.backed.upperBound - address)
    // Only ELF symbols have sizes; with others the next symbol may be a label inside the function.
    if kernel.symbols.source == .symtab, let end = kernel.symbols.end(of: address), end > address {
      count = min(count, end - address)
    }
    return kernel.bytes(at: address, count: Int(count))
  }

  private static func variable(
    _ memory: Instruction.Memory, in kernel: KernelImage
  ) -> CountVariable? {
    guard let address = memory.address, (1...8).contains(memory.size) else { return nil }
    let symbol = kernel.symbols.nearest(to: address).flatMap { $0.offset == 0 ? $0.name : nil }
    return CountVariable(
      address: address, size: memory.size,
      initial: kernel.bytes(at: address, count: memory.size).map { Array($0) }, symbol: symbol)
  }
}

extension SequenceFunction {
  init(
    _ symbol: String, _ code: FunctionCode, entries: [AlternativeEntry],
    variable: (Instruction.Memory) -> CountVariable?
  ) {
    self.symbol = symbol
    address = code.entry
    size = code.size
    instructions = code.instructions
    isFullyDecoded = code.isComplete
    barrier = code.passesBarrier
    returns = code.returnEnds.map { end in
      ReturnPlacement(
        address: Address(end.instruction.address), lastByteInLine: Int(end.lastByte % 64))
    }
    let range = code.entry..<(code.entry + UInt64(code.size))
    let inside = entries.filter { range.contains($0.site) }
    alternatives = inside
    loops = LoopStructure(code)
    if let loops {
      (outerCount, innerCount) = Self.counts(of: loops, code, inside, variable)
      shape = Self.shape([outerCount, innerCount])
    }
  }

  private static func counts(
    of loops: LoopStructure, _ code: FunctionCode, _ entries: [AlternativeEntry],
    _ variable: (Instruction.Memory) -> CountVariable?
  ) -> (outer: CountSource?, inner: CountSource?) {
    let run = code.firstRun { $0.address == loops.innerJump }
    return withoutActuallyEscaping(variable) { variable in
      let tracer = CountTracer(run: run, entries: entries, variable: variable)
      // The counting down itself is not where a count comes from: look in front of each loop.
      func source(_ loop: LoopStructure.Loop) -> CountSource? {
        guard let counter = loop.counter,
          let head = run.firstIndex(where: { $0.address == loop.head })
        else { return nil }
        return tracer.source(of: counter, before: head)
      }
      return (source(loops.outer), source(loops.inner))
    }
  }

  /// The shape of which a sequence is when its counts come from `sources`.
  private static func shape(_ sources: [CountSource?]) -> SequenceShape? {
    var shapes: [SequenceShape] = []
    for source in sources {
      switch source {
      case .immediate: shapes.append(.immediate)
      case .alternative: shapes.append(.alternative)
      case .variable: shapes.append(.variable)
      case .caller: shapes.append(.caller)
      case nil: return nil
      }
    }
    // What can change at run time or in the caller says more than a constant beside it.
    let order: [SequenceShape] = [.variable, .alternative, .caller, .immediate]
    return order.first { shapes.contains($0) }
  }
}
