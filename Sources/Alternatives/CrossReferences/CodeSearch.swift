public import KernelImage

/// Who calls what in an image, as far as its code and data show.
public struct CodeSearch: ~Copyable {
  private let kernel: KernelImage
  private let decoder: Decoder

  public init(_ kernel: KernelImage) throws(DecoderError) {
    self.kernel = kernel
    decoder = try Decoder()
  }

  /// Everything that may change what the choice rests on.
  public func writers(_ writers: DecisionWriters) -> [DecisionWriter] { writers.all(decoder) }

  /// The addresses of the function that an address lies in; nil if the symbols do not tell.
  public func function(around address: UInt64) -> Range<UInt64>? {
    kernel.function(around: address)
  }

  /// A use of a function's entry.
  public enum Use: Sendable, Hashable {
    /// A direct call, or a jump.
    case branch(from: UInt64)
    /// An instruction that makes the address.
    case address(at: UInt64)
    /// A pointer in data.
    case pointer(at: UInt64)
  }

  /// The uses of functions' entries, and jumps from elsewhere into their bodies.
  public func uses(of functions: [Range<UInt64>]) -> [(function: Range<UInt64>, use: Use)] {
    guard !functions.isEmpty else { return [] }
    var found: [(function: Range<UInt64>, use: Use)] = []
    for reference in kernel.references(to: functions, decoder) {
      let place = reference.instruction.address
      guard let function = functions.first(where: { $0.contains(reference.target) }),
        !function.contains(place)
      else { continue }
      if reference.effect == nil {
        found.append((function, .branch(from: place)))
      } else if reference.target == function.lowerBound {
        found.append((function, .address(at: place)))
      }
    }
    kernel.forEachPointer { place, value in
      guard let function = functions.first(where: { $0.lowerBound == value }) else { return }
      found.append((function, .pointer(at: place)))
    }
    return found
  }

  /// The addresses of the instructions that `function` may run once `callee`, which it calls, has
  /// returned.
  public func instructions(of function: Range<UInt64>, behindCallOf callee: UInt64) -> Set<UInt64> {
    guard let bytes = kernel.bytes(at: function.lowerBound, count: function.count) else {
      return []
    }
    let thunks = ReturnThunks.names.flatMap { kernel.symbols.addresses(of: $0) }
    var found: Set<UInt64> = []
    for call in decoder.decode(bytes, at: function.lowerBound) {
      guard case .call(callee) = call.kind, function.contains(call.end) else { continue }
      let rest = UnsafeRawBufferPointer(rebasing: bytes[call.range.upperBound...])
      let code = FunctionCode(rest, at: call.end, thunks: thunks, decoder)
      found.formUnion(code.instructions.map(\.address))
    }
    return found
  }
}
