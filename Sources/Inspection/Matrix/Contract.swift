public import BootMachine
public import Mitigation

/// How a hypervisor conveys the paravirt bit. Data, because no number is allocated for it.
public struct Contract: Sendable, Hashable, Decodable {
  /// Where the bits are.
  public enum Place: Sendable, Hashable {
    /// A register of the leaf `offset` after the base where `signature` was found.
    case cpuid(signature: String, offset: UInt32, register: CPUIDRegister)
    /// A virtual register, which exists where every bit of `enumeration` is set.
    case msr(index: UInt32, enumeration: [EnumerationBit])
  }

  /// A bit of a register that says that another register exists.
  public struct EnumerationBit: Sendable, Hashable, Decodable {
    public var msr: UInt32
    public var bit: Int

    public init(msr: UInt32, bit: Int) {
      self.msr = msr
      self.bit = bit
    }

    private enum Keys: String, CodingKey { case msr, bit }

    public init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: Keys.self)
      msr = try container.decode(Hex32.self, forKey: .msr).value
      bit = try container.decode(Int.self, forKey: .bit)
      try checkBit(bit, below: 64, at: container.codingPath)
    }
  }

  public var id: String
  public var title: String
  public var place: Place
  /// The bit that says that the short sequence is adequate.
  public var shortAdequate: Int
  /// The bit that says that the long sequence is required; nil if the absence of the other says so.
  public var longRequired: Int?
  public var source: String?
  /// By what a host tells its VMM which of these statements hold; nil if it has no such means.
  public var host: HostCapabilities?

  /// The capabilities of KVM by which userspace asks a host (KVM_CAP_*, include/uapi/linux/kvm.h).
  public struct HostCapabilities: Sendable, Hashable, Decodable {
    /// Its KVM_CHECK_EXTENSION returns a bitmap of the bits that hold.
    public var hints: UInt32
    /// Its KVM_CHECK_EXTENSION returns whether BHI_DIS_S can be forced, and its KVM_ENABLE_CAP on a
    /// VM asks for that; nil if there is none.
    public var force: UInt32?
  }

  /// The statements that it can make.
  public var statements: [Statement] {
    longRequired == nil ? [.silent, .shortAdequate] : [.silent, .shortAdequate, .longRequired]
  }

  /// Whether a hypervisor can make `statement` to what `processor` is in `environment`.
  ///
  /// The proposal reports no short-adequate to a guest that sees BHI_CTRL itself.
  public func allows(
    _ statement: Statement, on processor: Processor, in environment: BootEnvironment
  ) -> Bool {
    if statement == .silent { return true }
    guard environment.isGuest, environment.knowsItIsGuest, statements.contains(statement),
      !(statement == .shortAdequate && processor.showsBHIControl)
    else { return false }
    switch place {
    case .cpuid(let signature, _, _):
      return environment.hypervisor?.signature == signature
    case .msr(_, let enumeration):
      // A guest that is not shown the register which enumerates the others reads none of them.
      return processor.vendor == .intel
        && (processor.enumeratesArchCapabilities
          || !enumeration.contains { $0.msr == MSRIndex.archCapabilities })
    }
  }

  /// `processor` with `statement` made to it, as it is in `environment`.
  public func state(
    _ statement: Statement, on processor: Processor, in environment: BootEnvironment
  ) -> Processor {
    var result = processor
    let wanted: Int? =
      switch statement {
      case .silent: nil
      case .shortAdequate: shortAdequate
      case .longRequired: longRequired
      }
    let bits = [shortAdequate, longRequired].compactMap(\.self)
    switch place {
    case .cpuid(let signature, let offset, let register):
      guard let hypervisor = environment.hypervisor, hypervisor.signature == signature,
        var head = result.cpuid[hypervisor.base, 0]
      else { return result }
      let leaf = hypervisor.base &+ offset
      var registers = result.cpuid[leaf, 0] ?? .zero
      for bit in bits { registers[register] &= ~(1 << UInt32(bit)) }
      if let wanted {
        registers[register] |= 1 << UInt32(wanted)
        // KVM may leave the highest leaf at 0, which means base + 1.
        head.eax = max(head.eax, leaf)
        result.cpuid.set(leaf: hypervisor.base, registers: head)
      }
      result.cpuid.set(leaf: leaf, registers: registers)
    case .msr(let index, let enumeration):
      guard let wanted else { return result }
      for bit in enumeration {
        result.msrs[bit.msr, default: 0] |= 1 << UInt64(bit.bit)
      }
      let cleared = bits.reduce(result.msrs[index] ?? 0) { $0 & ~(1 << UInt64($1)) }
      result.msrs[index] = cleared | 1 << UInt64(wanted)
    }
    result.derived.append("statement \(statement.rawValue) through contract \(id)")
    return result
  }

  /// What `processor` is told through this contract; long-required wins, as the policy has it.
  public func statement(to processor: Processor, in environment: BootEnvironment) -> Statement {
    let value: UInt64
    switch place {
    case .cpuid(let signature, let offset, let register):
      guard let hypervisor = environment.hypervisor, hypervisor.signature == signature else {
        return .silent
      }
      value = UInt64(
        processor.cpuid.answer(leaf: hypervisor.base &+ offset, subleaf: 0)[register])
    case .msr(let index, let enumeration):
      guard enumeration.allSatisfy({ (processor.msr($0.msr) ?? 0) >> UInt64($0.bit) & 1 != 0 })
      else { return .silent }
      value = processor.msr(index) ?? 0
    }
    if let longRequired, value >> UInt64(longRequired) & 1 != 0 { return .longRequired }
    return value >> UInt64(shortAdequate) & 1 != 0 ? .shortAdequate : .silent
  }

  private enum Keys: String, CodingKey {
    case id, title, source, host, signature, offset, register, msr, enumeration
    case shortAdequate, longRequired
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Keys.self)
    id = try container.decode(String.self, forKey: .id)
    title = try container.decode(String.self, forKey: .title)
    source = try container.decodeIfPresent(String.self, forKey: .source)
    host = try container.decodeIfPresent(HostCapabilities.self, forKey: .host)
    shortAdequate = try container.decode(Int.self, forKey: .shortAdequate)
    longRequired = try container.decodeIfPresent(Int.self, forKey: .longRequired)
    let width: Int
    if container.contains(.msr) {
      place = .msr(
        index: try container.decode(Hex32.self, forKey: .msr).value,
        enumeration: try container.decodeIfPresent([EnumerationBit].self, forKey: .enumeration)
          ?? [])
      width = 64
    } else {
      place = .cpuid(
        signature: try container.decode(String.self, forKey: .signature),
        offset: try container.decode(Hex32.self, forKey: .offset).value,
        register: try container.decode(CPUIDRegister.self, forKey: .register))
      width = 32
    }
    for bit in [shortAdequate, longRequired].compactMap(\.self) {
      try checkBit(bit, below: width, at: container.codingPath)
    }
  }
}

/// Refuses a bit number that a register does not have.
private func checkBit(_ bit: Int, below width: Int, at path: [any CodingKey]) throws {
  guard (0..<width).contains(bit) else {
    throw DecodingError.dataCorrupted(
      .init(codingPath: path, debugDescription: "no bit \(bit) in \(width) bits"))
  }
}
