import BootMachine
import Mitigation

/// What of a path's processor is laid over QEMU's answers in a real boot.
///
/// Not all of it: QEMU's emulation executes only what it has, so a feature that it lacks must not
/// be shown unless the kernel does no more with it than decide. What is listed here decides.
enum ShownBits {
  /// Bits of one leaf, and why they are shown.
  struct Leaf {
    var leaf: UInt32
    var subleaf: UInt32?
    /// EAX, EBX, ECX, EDX.
    var mask: [UInt32]
    var reason: String
  }

  static let common: [Leaf] = [
    Leaf(
      leaf: 0, subleaf: nil, mask: [0, .max, .max, .max],
      reason: "the vendor, by which the lists of affected processors begin"),
    Leaf(
      leaf: 1, subleaf: nil, mask: [.max, 0, 1 << 31, 0],
      reason: "family, model and stepping; HYPERVISOR"),
    Leaf(
      leaf: 7, subleaf: 0,
      mask: [0, 0, 0, bits([9, 10, 26, 27, 28, 29, 31])],
      reason: "SRBDS_CTRL, MD_CLEAR, IBRS and IBPB, STIBP, L1D_FLUSH, ARCH_CAPABILITIES, SSBD"),
    Leaf(
      leaf: 7, subleaf: 1, mask: [.max, .max, .max, .max],
      reason: "nothing of it exists in QEMU, FRED least of all"),
    Leaf(
      leaf: 7, subleaf: 2, mask: [0, 0, 0, bits(Array(0...5))],
      reason: "PSFD, IPRED_CTRL, RRSBA_CTRL, DDPD_U, BHI_CTRL, MCDT_NO"),
  ]

  static let amd: [Leaf] = [
    Leaf(
      leaf: 0x8000_0008, subleaf: nil,
      mask: [0, bits([12, 14, 15, 16, 17, 18, 19, 24, 25, 26, 28, 29]), 0, 0],
      reason: "IBPB, IBRS, STIBP and how they are preferred, SSBD, PSFD, BTC_NO"),
    Leaf(
      leaf: 0x8000_0021, subleaf: nil, mask: [bits([2, 8, 27, 28, 29]), 0, 0, 0],
      reason: "LFENCE_RDTSC, AUTOMATIC_IBRS, SBPB, IBPB_BRTYPE, SRSO_NO"),
  ]

  /// The highest basic leaf of QEMU's model qemu64.
  static let highestLeaf: UInt32 = 0xD

  /// Registers that decide; QEMU reads all others as 0, or has them.
  static let msrs: [UInt32] = [MSRIndex.specCtrl, MSRIndex.archCapabilities]

  /// Virtual registers that a contract may use.
  static let virtualMSRs: ClosedRange<UInt32> = 0x5000_0000...0x5000_00FF

  /// Features of KVM that make a guest call its hypervisor or share memory with it: a kernel that
  /// sees them without KVM behind them does not boot (Documentation/virt/kvm/x86/cpuid.rst).
  static let kvmInterfaces: UInt32 = bits(Array(0...7) + Array(9...17) + [24])

  static func bits(_ numbers: [Int]) -> UInt32 {
    numbers.reduce(0) { $0 | 1 << UInt32($1) }
  }
}

extension BootEnvironment {
  /// Whether QEMU's emulation can show it.
  public var isShownByQEMU: Bool { notShown == nil }

  /// Why QEMU's emulation cannot show it; nil if it can.
  var notShown: String? {
    if let unsupported { return unsupported }
    if confidential != nil { return "QEMU's emulation encrypts no guest" }
    switch hypervisor?.signature {
    case "XenVMMXenVMM": return "a Xen guest calls its hypervisor, and QEMU's emulation is none"
    case "Microsoft Hv":
      return "a Hyper-V guest calls its hypervisor, and QEMU's emulation is none"
    default: return nil
    }
  }
}

extension BootScenario {
  /// The scenario of a row, with what the boot loader passes.
  init(_ row: Matrix.Row, commandLine: String) {
    let processor = row.processor
    let isAMD = processor.vendor == .amd || processor.vendor == .hygon
    let highestLeaf = processor.cpuid[0, 0]?.eax ?? .max
    var leaves: [SuppliedLeaf] = []
    for shown in ShownBits.common + (isAMD ? ShownBits.amd : []) {
      // A leaf that the processor lacks answers with another leaf's bits; QEMU does that as well.
      if shown.leaf > highestLeaf, shown.leaf < 0x8000_0000 { continue }
      let answer = processor.cpuid.answer(leaf: shown.leaf, subleaf: shown.subleaf ?? 0)
      var value = [answer.eax, answer.ebx, answer.ecx, answer.edx]
      // What FRED is to a kernel, QEMU does not have.
      if shown.leaf == 7, shown.subleaf == 1 { value = [0, 0, 0, 0] }
      leaves.append(
        SuppliedLeaf(leaf: shown.leaf, subleaf: shown.subleaf, mask: shown.mask, value: value))
    }
    // Subleaf 2 is asked for only where subleaf 0 says that it is there.
    if processor.cpuid[7, 2] != nil {
      leaves.append(
        SuppliedLeaf(leaf: 7, subleaf: 0, mask: [.max, 0, 0, 0], value: [2, 0, 0, 0]))
    }
    leaves += Self.hypervisorLeaves(processor)
    let highest = processor.cpuid[0x8000_0000, 0]?.eax ?? 0x8000_0008
    let shownMSRs = processor.msrs.filter { index, _ in
      ShownBits.msrs.contains(index) || ShownBits.virtualMSRs.contains(index)
    }
    self.init(
      path: row.path,
      model: Model(
        vendor: processor.vendor?.rawValue ?? ProcessorVendor.intel.rawValue,
        family: processor.family, model: processor.model, stepping: processor.stepping,
        highestLeaf: highestLeaf < ShownBits.highestLeaf ? highestLeaf : nil,
        highestExtendedLeaf: isAMD ? min(max(highest, 0x8000_000A), 0x8000_0021) : 0x8000_000A,
        features: Self.features(processor)),
      leaves: leaves,
      msrs: shownMSRs.map { SuppliedMSR(index: $0.key, value: $0.value) }
        .sorted { $0.index < $1.index },
      commandLine: commandLine)
  }

  private static func hypervisorLeaves(_ processor: Processor) -> [SuppliedLeaf] {
    guard processor.cpuid.showsHypervisor else { return [] }
    let hypervisors = 0x4000_0000...0x4000_FFFF as ClosedRange<UInt32>
    var leaves: [SuppliedLeaf] = []
    for entry in processor.cpuid.entries where hypervisors.contains(entry.leaf) {
      let base = entry.leaf & ~0xFF
      var value = [
        entry.registers.eax, entry.registers.ebx, entry.registers.ecx, entry.registers.edx,
      ]
      switch processor.hypervisorSignature(at: base) {
      case "KVMKVMKVM" where entry.leaf == base + 1: value[0] &= ~ShownBits.kvmInterfaces
      // Beside KVM: its name and that of its interface, nothing that a guest would call.
      case "Microsoft Hv" where entry.leaf > base + 1: value = [0, 0, 0, 0]
      default: break
      }
      leaves.append(
        SuppliedLeaf(
          leaf: entry.leaf, subleaf: nil, mask: [.max, .max, .max, .max], value: value))
    }
    return leaves
  }

  /// What QEMU is told beside, so that code which nobody watches sees the same.
  private static func features(_ processor: Processor) -> [String] {
    let leaf = processor.cpuid.answer(leaf: 7, subleaf: 0)
    let named: [(bit: UInt32, name: String)] = [
      (26, "spec-ctrl"), (27, "stibp"), (29, "arch-capabilities"), (31, "ssbd"),
    ]
    return ["-svm", "+smep"] + named.filter { leaf.edx >> $0.bit & 1 != 0 }.map { "+\($0.name)" }
      + (processor.cpuid.showsHypervisor ? [] : ["-hypervisor"])
  }
}
