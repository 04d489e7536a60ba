public import KernelImage
public import Mitigation

/// An instruction of the image that may change what the choice rests on.
public struct DecisionWriter: Sendable, Hashable {
  public enum Subject: Sendable, Hashable {
    /// A count that the sequence reads.
    case count(CountVariable)
    /// A feature that a site hangs on.
    case feature(FeatureReference)
  }

  public enum Manner: String, Sendable, Hashable {
    case writes
    /// Calls a function of the kernel that does.
    case calls
    /// Makes or holds the address, so that other code can write there.
    case passes
  }

  /// Of the instruction, or of the pointer in data.
  public var address: UInt64
  public var subject: Subject
  public var manner: Manner
}

/// Finds all code that may change what the choice rests on.
public struct DecisionWriters: Sendable {
  private let kernel: KernelImage
  private let variables: [CountVariable]
  private let features: [FeatureReference]
  /// The arrays of feature bits: what boot code decided, and what it keeps for CPUs to come
  /// (`cpu_caps_set` and `cpu_caps_cleared`, arch/x86/kernel/cpu/common.c).
  private let arrays: [UInt64]

  /// - Parameter capabilities: where `boot_cpu_data.x86_capability` is; nil if that is not known.
  public init(
    _ kernel: KernelImage, functions: SequenceFunctions, sites: [Site], capabilities: UInt64?
  ) {
    self.kernel = kernel
    var variables: [CountVariable] = []
    for variable in functions.functions.flatMap(\.variables) where !variables.contains(variable) {
      variables.append(variable)
    }
    self.variables = variables
    features = Set(sites.compactMap(\.feature)).sorted { $0.number < $1.number }
    arrays =
      (capabilities.map { [$0] } ?? [])
      + ["cpu_caps_set", "cpu_caps_cleared"].compactMap { kernel.symbols.address(of: $0) }
  }

  /// In ascending order of address.
  public func all(_ decoder: borrowing Decoder) -> [DecisionWriter] {
    var ranges = variables.map(\.range)
    for array in arrays { ranges += self.ranges(array) }
    let places = kernel.references(to: ranges, decoder)
    var found = variables.isEmpty ? [] : pointers
    for place in places { found += writers(place) }
    if !features.isEmpty {
      let helpers = self.helpers(places).map { $0..<$0 + 1 }
      for call in kernel.references(to: helpers, decoder) where call.effect == nil {
        found += callers(call, decoder)
      }
    }
    return found.sorted { $0.address < $1.address }
  }

  /// The bits of the features in an array, and its beginning, where the number of a bit is counted
  /// from.
  private func ranges(_ array: UInt64) -> [Range<UInt64>] {
    let words = Set(features.map { UInt64($0.number / 32) }).sorted()
    guard !words.isEmpty else { return [] }
    return [array..<array &+ 1]
      + words.map { word in
        let start = array &+ 4 &* word
        return start..<start &+ 4
      }
  }

  // MARK: Code that writes

  private func writers(_ reference: CrossReference) -> [DecisionWriter] {
    guard let effect = reference.effect, effect != .read else { return [] }
    let address = reference.instruction.address
    if let variable = variables.first(where: { $0.range.contains(reference.target) }) {
      return [
        DecisionWriter(
          address: address, subject: .count(variable),
          manner: effect == .address ? .passes : .writes)
      ]
    }
    // An address of the features is made all over the kernel, to read them.
    guard reference.instruction.memory?.address != nil else { return [] }
    return features.filter { feature in
      arrays.contains { effect.changes(feature.number, of: $0, through: reference) }
    }.map { DecisionWriter(address: address, subject: .feature($0), manner: .writes) }
  }

  // MARK: Code that calls what writes

  /// Functions that set or clear the feature they are told: those of known names, and those that
  /// write to an array at an index.
  private func helpers(_ places: [CrossReference]) -> [UInt64] {
    let named = ["setup_force_cpu_cap", "setup_clear_cpu_cap", "clear_cpu_cap", "set_cpu_cap"]
      .flatMap { kernel.symbols.addresses(of: $0) }
    let indexed = places.compactMap { place -> UInt64? in
      guard let effect = place.effect, arrays.contains(place.target) else { return nil }
      let isIndexed = place.instruction.memory?.address == nil && effect != .address
      guard effect == .anyBit || isIndexed && effect != .read else { return nil }
      return kernel.function(around: place.instruction.address)?.lowerBound
    }
    return Set(named + indexed).sorted()
  }

  /// Whether a call tells its function one of the features: in RDI, or in RSI behind a pointer
  /// (System V AMD64 ABI).
  private func callers(
    _ call: CrossReference, _ decoder: borrowing Decoder
  ) -> [DecisionWriter] {
    let address = call.instruction.address
    guard let function = kernel.function(around: address),
      let code = kernel.bytes(
        at: function.lowerBound, count: Int(address - function.lowerBound))
    else { return [] }
    let before = decoder.decode(code, at: function.lowerBound).suffix(16)
    var numbers: [Int] = []
    for argument: UInt8 in [7, 6] {
      let last = before.last { $0.destinationRegister?.number == argument && $0.kind == .other }
      if let last, last.operation == .move, let value = last.immediate.flatMap(Int.init(exactly:)) {
        numbers.append(value)
      }
    }
    return features.filter { numbers.contains($0.number) }
      .map { DecisionWriter(address: address, subject: .feature($0), manner: .calls) }
  }

  // MARK: Data that points there

  /// Pointers to counts in the image's data: parameters of a module, for example.
  private var pointers: [DecisionWriter] {
    var found: [DecisionWriter] = []
    kernel.forEachPointer { place, value in
      guard let variable = variables.first(where: { $0.address == value }) else { return }
      found.append(
        DecisionWriter(address: place, subject: .count(variable), manner: .passes))
    }
    return found
  }
}

extension CountVariable {
  var range: Range<UInt64> { address..<address &+ UInt64(size) }
}

extension MemoryEffect {
  /// Whether an instruction with this effect may change the bit of a feature in an array.
  fileprivate func changes(
    _ feature: Int, of array: UInt64, through reference: CrossReference
  ) -> Bool {
    let start = Int64(bitPattern: reference.target &- array) &* 8
    let bit = Int64(feature) - start
    let width = Int64(8 * max(1, reference.instruction.memory?.size ?? 4))
    guard bit >= 0, bit < width else { return false }
    return switch self {
    case .read, .address, .anyBit: false
    case .write: true
    case .changes(let mask): bit < 64 && mask >> UInt64(bit) & 1 != 0
    }
  }
}

extension KernelImage {
  /// Calls `visit` with every aligned 8-byte value of the loaded data, and where it lies.
  func forEachPointer(_ visit: (_ place: UInt64, _ value: UInt64) -> Void) {
    for section in sections where section.isLoaded && !section.isExecutable && section.hasBytes {
      guard let bytes = contents(of: section) else { continue }
      var offset = Int(section.address & 7 == 0 ? 0 : 8 - section.address & 7)
      while offset + 8 <= bytes.count {
        visit(
          section.address &+ UInt64(offset),
          bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        offset += 8
      }
    }
  }
}
