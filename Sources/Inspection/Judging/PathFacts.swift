public import BootMachine
public import Mitigation

extension PathFacts {
  /// What is known of `row`, and what the kernel did with its registers on it.
  init(_ row: Matrix.Row, _ outcome: Outcome) {
    self.init()
    let processor = row.processor
    affected = processor.affected
    affectedSource = processor.affectedSource
    beforeAlderLake = processor.beforeAlderLake
    isGuest = row.environment.isGuest
    knowsItIsGuest = row.environment.knowsItIsGuest
    isConfidential = row.environment.confidential != nil
    statement = row.path.statement
    showsBHIControl = processor.showsBHIControl
    switchedOff = row.commandLine.switchesOff
    maybeSwitchedOff = row.commandLine.maySwitchOff
    userSpeaksOfIt = row.commandLine.namesMitigation
    isNestedHypervisor = row.environment.isGuest && processor.showsVirtualization
    let control = outcome.evidence.specCtrl?.value ?? 0
    hasHardwareControl = control & SpecCtrl.disableBHI != 0
    if processor.showsRRSBA {
      rrsba = control & SpecCtrl.disableRRSBA != 0 ? .disabled : .active
    }
  }
}

/// Bits of IA32_SPEC_CTRL (Intel SDM vol. 4, table 2-2).
private enum SpecCtrl {
  static let disableRRSBA: UInt64 = 1 << 6
  static let disableBHI: UInt64 = 1 << 10
}

extension Processor {
  /// RRSBA, bit 19 of IA32_ARCH_CAPABILITIES, as far as a kernel can read it.
  fileprivate var showsRRSBA: Bool {
    enumeratesArchCapabilities && (msr(MSRIndex.archCapabilities) ?? 0) >> 19 & 1 != 0
  }

  /// VMX, CPUID.1:ECX[5], or SVM, CPUID.80000001H:ECX[2].
  fileprivate var showsVirtualization: Bool {
    (cpuid[1, 0]?.ecx ?? 0) >> 5 & 1 != 0 || (cpuid[0x8000_0001, 0]?.ecx ?? 0) >> 2 & 1 != 0
  }
}

extension Policy {
  /// What this policy requires of a row at some entry points, whatever the kernel does there.
  public func requirements(
    of row: Matrix.Row, at entryPoints: [EntryPoint]
  ) -> [EntryPoint: Requirement] {
    requirements(of: row, at: entryPoints, Outcome(sysfs: nil, evidence: Evidence()), [:])
  }

  /// What this policy requires of a row, given what the kernel did with its registers.
  public func requirements(
    of row: Matrix.Row, _ result: BootResult
  ) -> [EntryPoint: Requirement] {
    requirements(
      of: row, at: Array(result.entryPoints.keys), result.outcome, result.entryPoints)
  }

  private func requirements(
    of row: Matrix.Row, at entryPoints: [EntryPoint], _ outcome: Outcome,
    _ outcomes: [EntryPoint: EntryPointOutcome]
  ) -> [EntryPoint: Requirement] {
    let facts = PathFacts(row, outcome)
    var found: [EntryPoint: Requirement] = [:]
    for entryPoint in entryPoints {
      let unknown = EntryPointOutcome(mechanism: nil, sequence: nil)
      found[entryPoint] =
        self.row(for: facts, at: entryPoint, outcomes[entryPoint] ?? unknown)?.requires
    }
    return found
  }
}
