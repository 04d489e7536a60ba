internal import KernelImage

extension Capabilities {
  /// Where an image keeps the feature bits: from its type information, else by watching where boot
  /// code puts what CPUID answers.
  static func located(in image: BootImage) throws(MachineError) -> Capabilities? {
    let kernel = image.kernel
    if let layout = kernel.layouts.layout(of: "cpuinfo_x86"),
      let offset = layout.fields["x86_capability"]
    {
      return Capabilities(
        kernel, offset: offset,
        words: kernel.layouts.arrayCount(of: "cpuinfo_x86", field: "x86_capability"),
        basis: layout.basis)
    }
    guard let offset = try CapabilityProbe(image)?.offset() else { return nil }
    return Capabilities(
      kernel, offset: offset, words: nil,
      basis: "where early_cpu_init stores CPUID leaves 1 and 7")
  }
}

/// Finds x86_capability in `boot_cpu_data` of an image without type information.
///
/// Runs early_cpu_init() with and without some bits of three leaves, and looks for the words that
/// changed by just these. Words 0, 4 and 9 of the array hold CPUID.1:EDX, CPUID.1:ECX and
/// CPUID.7:EBX in every kernel (arch/x86/include/asm/cpufeatures.h).
struct CapabilityProbe: ~Copyable {
  private let machine: Machine
  private let data: Range<UInt64>
  private let function: BootPlan.Call

  /// nil if the image lacks a symbol that is needed.
  init?(_ image: BootImage) throws(MachineError) {
    guard let function = image.plan.chain.first(where: { $0.name == "early_cpu_init" }),
      let start = image.kernel.symbols.address(of: "boot_cpu_data")
    else { return nil }
    self.function = function
    let end = image.kernel.symbols.end(of: start) ?? start &+ 512
    data = start..<start &+ min(end &- start, 1024)
    machine = try Machine(image)
  }

  /// Bits that no erratum or configuration makes a kernel set or clear: DS and PBE; CNXT-ID and
  /// DCA; FDP_EXCPTN_ONLY and ZERO_FCS_FDS (Intel SDM vol. 2, CPUID).
  private static let marks: [(word: Int, leaf: UInt32, register: CPUIDRegister, bits: UInt32)] = [
    (0, 1, .edx, 1 << 21 | 1 << 31), (4, 1, .ecx, 1 << 10 | 1 << 18),
    (9, 7, .ebx, 1 << 6 | 1 << 13),
  ]

  /// The offset of the array in bytes; nil if no place, or more than one, fits.
  func offset() throws(MachineError) -> Int? {
    guard let plain = try words(marked: false), let marked = try words(marked: true) else {
      return nil
    }
    let changed = zip(plain, marked).map { $0 ^ $1 }
    let places = changed.indices.filter { index in
      Self.marks.allSatisfy { mark in
        index + mark.word < changed.count && changed[index + mark.word] == mark.bits
      }
    }
    return places.count == 1 ? places.first.map { $0 * MemoryLayout<UInt32>.size } : nil
  }

  private func words(marked: Bool) throws(MachineError) -> [UInt32]? {
    try machine.prepare(Self.processor(marked: marked), commandLine: [])
    guard machine.call(function) == nil,
      let bytes = machine.memory.bytes(at: data.lowerBound, count: data.count)
    else { return nil }
    return stride(from: 0, through: bytes.count - 4, by: 4).map {
      bytes.loadUnaligned(fromByteOffset: $0, as: UInt32.self)
    }
  }

  /// A plain Intel processor that is nobody's: family 6, model 0x55, without errata to speak of.
  private static func processor(marked: Bool) -> Processor {
    var table = CPUIDTable()
    table.set(
      leaf: 0,
      registers: CPUIDRegisters(eax: 7, ebx: 0x756e_6547, ecx: 0x6c65_746e, edx: 0x4965_6e69))
    table.set(
      leaf: 1,
      registers: CPUIDRegisters(eax: 0x5_0654, ebx: 0x800, ecx: 0x0098_2201, edx: 0x0789_fbff))
    table.set(leaf: 7, registers: CPUIDRegisters(ebx: 0x0000_0008))
    table.set(leaf: 0x8000_0000, registers: CPUIDRegisters(eax: 0x8000_0008))
    table.set(leaf: 0x8000_0001, registers: CPUIDRegisters(ecx: 1, edx: 0x2c10_0800))
    table.set(leaf: 0x8000_0008, registers: CPUIDRegisters(eax: 0x3030))
    if marked {
      for mark in marks {
        var registers = table.answer(leaf: mark.leaf, subleaf: 0)
        registers[mark.register] |= mark.bits
        table.set(leaf: mark.leaf, registers: registers)
      }
    }
    return Processor(
      id: "probe", title: "probe", cpuid: table, msrDefault: .value(0))
  }
}
