import BootMachine
import Mitigation

/// One bit of a register that a hypervisor can fill in.
struct HypervisorBit: Sendable, Hashable {
  var register: HypervisorRegister
  var bit: Int

  /// The same bit wherever the hypervisor's leaves begin.
  var place: BitPlace {
    switch register {
    case .cpuid(let leaf, let register):
      .cpuid(offset: leaf - HypervisorRegister.base(of: leaf), register, bit: bit)
    case .msr(let index): .msr(index: index, bit: bit)
    }
  }
}

/// Where a bit is, counted from the hypervisor's base: what a contract speaks of.
enum BitPlace: Sendable, Hashable {
  case cpuid(offset: UInt32, CPUIDRegister, bit: Int)
  case msr(index: UInt32, bit: Int)

  /// The bit where a hypervisor's leaves begin at `base`.
  func bit(at base: UInt32) -> HypervisorBit {
    switch self {
    case .cpuid(let offset, let register, let bit):
      HypervisorBit(register: .cpuid(leaf: base &+ offset, register), bit: bit)
    case .msr(let index, let bit): HypervisorBit(register: .msr(index), bit: bit)
    }
  }

  var isCPUID: Bool {
    if case .cpuid = self { true } else { false }
  }
}

/// A register as a boot read it.
struct ReadRegister: Sendable, Hashable {
  var register: HypervisorRegister
  /// Nil: reading it faulted.
  var value: UInt64?
  /// The instructions that read it.
  var addresses: [UInt64]

  /// What of `reads` a hypervisor says to a guest: the registers of its leaves and the MSRs.
  ///
  /// The name at the base is left out: without it there is nobody who speaks. So are leaves at
  /// bases where no hypervisor is.
  static func all(in reads: [BootRead], of processor: Processor) -> [ReadRegister] {
    var result: [ReadRegister] = []
    for read in reads {
      switch read.answer {
      case .cpuid(let leaf, let registers):
        let base = HypervisorRegister.base(of: leaf)
        guard processor.hypervisorSignature(at: base) != nil else { continue }
        let named: [CPUIDRegister] = leaf == base ? [.eax] : CPUIDRegister.allCases
        for register in named {
          result.append(
            ReadRegister(
              register: .cpuid(leaf: leaf, register), value: UInt64(registers[register]),
              addresses: read.addresses))
        }
      case .msr(let index, let value):
        result.append(
          ReadRegister(register: .msr(index), value: value, addresses: read.addresses))
      }
    }
    return result
  }
}

extension Processor {
  /// This processor with a bit of `register`, which holds `value`, set or cleared.
  ///
  /// A register that does not exist comes into being with that bit alone.
  func changing(
    _ bit: HypervisorBit, of value: UInt64?, to isSet: Bool
  ) -> Processor {
    let mask: UInt64 = 1 << UInt64(bit.bit)
    return changing(bit.register, to: isSet ? (value ?? 0) | mask : (value ?? 0) & ~mask)
  }

  /// This processor with another value in `register`.
  func changing(_ register: HypervisorRegister, to value: UInt64) -> Processor {
    var changed = self
    switch register {
    case .cpuid(let leaf, let register):
      var registers = cpuid.answer(leaf: leaf, subleaf: 0)
      registers[register] = UInt32(truncatingIfNeeded: value)
      changed.cpuid.set(leaf: leaf, registers: registers)
    case .msr(let index): changed.msrs[index] = value
    }
    return changed
  }

  /// This processor with a bit set, whatever else its register holds; the hypervisor's leaves
  /// reach as far as that.
  func setting(_ bit: HypervisorBit) -> Processor {
    switch bit.register {
    case .msr(let index): return changing(bit, of: msr(index), to: true)
    case .cpuid(let leaf, let register):
      let value = UInt64(cpuid.answer(leaf: leaf, subleaf: 0)[register])
      var changed = changing(bit, of: value, to: true)
      let base = HypervisorRegister.base(of: leaf)
      if var head = changed.cpuid[base, 0] {
        head.eax = max(head.eax, leaf)
        changed.cpuid.set(leaf: base, registers: head)
      }
      return changed
    }
  }

  /// Who speaks through a register; nil for an MSR, which belongs to nobody.
  func speaker(of register: HypervisorRegister) -> String? {
    guard case .cpuid(let leaf, _) = register else { return nil }
    return hypervisorSignature(at: HypervisorRegister.base(of: leaf))
  }
}
