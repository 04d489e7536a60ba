public import BootMachine
import Mitigation

/// One change that an environment makes to what a kernel sees of its processor.
///
/// In data an object whose `op` names the case, with numbers as hex strings and a `reason`.
public enum EnvironmentOperation: Sendable, Hashable {
  case setBits(leaf: UInt32, subleaf: UInt32, register: CPUIDRegister, mask: UInt32)
  case clearBits(leaf: UInt32, subleaf: UInt32, register: CPUIDRegister, mask: UInt32)
  case setLeaf(leaf: UInt32, subleaf: UInt32, registers: CPUIDRegisters)
  case removeLeaves(ClosedRange<UInt32>)
  /// Brings a leaf into the range that the first leaf of its class announces.
  case raiseHighestLeaf(UInt32)
  case setMSR(index: UInt32, value: UInt64)
  /// The bits of a register that is not defined are set as if it held 0.
  case setMSRBits(index: UInt32, mask: UInt64)
  case clearMSRBits(index: UInt32, mask: UInt64)
  /// Reading the register faults afterwards.
  case hideMSR(index: UInt32)
  /// Shows another processor of the catalogue in place of the real one.
  case showProcessor(id: String)

  /// Applies the change. A bit of a leaf that the processor does not have stays clear.
  func apply(to processor: inout Processor) {
    switch self {
    case .setBits(let leaf, let subleaf, let register, let mask):
      var registers = processor.cpuid[leaf, subleaf] ?? .zero
      registers[register] |= mask
      processor.cpuid.set(leaf: leaf, subleaf: subleaf, registers: registers)
    case .clearBits(let leaf, let subleaf, let register, let mask):
      guard var registers = processor.cpuid[leaf, subleaf] else { return }
      registers[register] &= ~mask
      processor.cpuid.set(leaf: leaf, subleaf: subleaf, registers: registers)
    case .setLeaf(let leaf, let subleaf, let registers):
      processor.cpuid.set(leaf: leaf, subleaf: subleaf, registers: registers)
    case .removeLeaves(let leaves):
      processor.cpuid.remove(leaves: leaves)
    case .raiseHighestLeaf(let leaf):
      let first = leaf & 0xF000_0000
      guard var registers = processor.cpuid[first, 0] else { return }
      registers.eax = max(registers.eax, leaf)
      processor.cpuid.set(leaf: first, registers: registers)
    case .setMSR(let index, let value):
      processor.msrs[index] = value
    case .setMSRBits(let index, let mask):
      processor.msrs[index, default: 0] |= mask
    case .clearMSRBits(let index, let mask):
      guard let value = processor.msrs[index] else { return }
      processor.msrs[index] = value & ~mask
    case .hideMSR(let index):
      processor.msrs[index] = nil
    case .showProcessor:
      // The environment resolves it, because it takes the catalogue.
      break
    }
  }
}

extension EnvironmentOperation: Decodable {
  private enum Keys: String, CodingKey {
    case op, leaf, subleaf, register, bits, eax, ebx, ecx, edx, first, last, msr, value, cpu
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Keys.self)
    func number(_ key: Keys, or fallback: UInt32? = nil) throws -> UInt32 {
      if let fallback, !container.contains(key) { return fallback }
      return try container.decode(Hex32.self, forKey: key).value
    }
    func mask<Number: FixedWidthInteger>(_ type: Number.Type) throws -> Number {
      try container.decode([Int].self, forKey: .bits).reduce(0) { mask, bit in
        guard (0..<Number.bitWidth).contains(bit) else {
          throw DecodingError.dataCorruptedError(
            forKey: .bits, in: container, debugDescription: "no bit \(bit)")
        }
        return mask | 1 << Number(bit)
      }
    }
    let name = try container.decode(String.self, forKey: .op)
    switch name {
    case "set-bits":
      self = .setBits(
        leaf: try number(.leaf), subleaf: try number(.subleaf, or: 0),
        register: try container.decode(CPUIDRegister.self, forKey: .register),
        mask: try mask(UInt32.self))
    case "clear-bits":
      self = .clearBits(
        leaf: try number(.leaf), subleaf: try number(.subleaf, or: 0),
        register: try container.decode(CPUIDRegister.self, forKey: .register),
        mask: try mask(UInt32.self))
    case "set-leaf":
      self = .setLeaf(
        leaf: try number(.leaf), subleaf: try number(.subleaf, or: 0),
        registers: CPUIDRegisters(
          eax: try number(.eax, or: 0), ebx: try number(.ebx, or: 0),
          ecx: try number(.ecx, or: 0), edx: try number(.edx, or: 0)))
    case "remove-leaves":
      let first = try number(.first)
      let last = try number(.last)
      guard first <= last else {
        throw DecodingError.dataCorruptedError(
          forKey: .last, in: container, debugDescription: "the range ends before it begins")
      }
      self = .removeLeaves(first...last)
    case "raise-highest-leaf":
      self = .raiseHighestLeaf(try number(.leaf))
    case "set-msr":
      self = .setMSR(
        index: try number(.msr), value: try container.decode(Address.self, forKey: .value).value)
    case "set-msr-bits":
      self = .setMSRBits(index: try number(.msr), mask: try mask(UInt64.self))
    case "clear-msr-bits":
      self = .clearMSRBits(index: try number(.msr), mask: try mask(UInt64.self))
    case "hide-msr":
      self = .hideMSR(index: try number(.msr))
    case "show-cpu":
      self = .showProcessor(id: try container.decode(String.self, forKey: .cpu))
    default:
      throw DecodingError.dataCorruptedError(
        forKey: .op, in: container, debugDescription: "no operation \(name)")
    }
  }
}
