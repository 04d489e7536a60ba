internal import Alternatives
internal import CLinux
internal import KernelImage
internal import Mitigation

/// Makes an outcome of what the machine saw, and checks that it does not contradict itself.
struct OutcomeReader {
  let program: BootProgram
  let state: MachineState
  let aftermath: Aftermath
  /// What the kernel says of BHI in its sysfs line, without the label; nil if it says nothing.
  private let claim: Substring?

  init(program: BootProgram, state: MachineState, aftermath: Aftermath) {
    self.program = program
    self.state = state
    self.aftermath = aftermath
    claim = aftermath.sysfs.flatMap { line in
      line.firstRange(of: "BHI: ").map { line[$0.upperBound...].prefix { $0 != ";" } }
    }
  }

  /// BHI_DIS_S in MSR_IA32_SPEC_CTRL (Intel SDM vol. 4, table 2-2).
  private static let disableBHI: UInt64 = 1 << 10

  func result(failure: Failure?, processor: Processor) -> BootResult {
    let warning = state.warnings.first
    let reason = (failure ?? warning).map { $0.text(in: program.kernel) } ?? unreadable
    let entryPoints = failure == nil ? self.entryPoints : [:]
    var evidence = Evidence(
      chain: program.chain, narrowed: program.narrowed, features: features, affected: affected,
      specCtrl: specCtrl, log: relevantLog, given: processor.given, derived: processor.derived)
    evidence.disagreements = failure == nil ? disagreements : []
    return BootResult(
      outcome: Outcome(
        sysfs: aftermath.sysfs, evidence: evidence, undeterminedBecause: reason,
        vulnerabilities: aftermath.vulnerabilities.isEmpty ? nil : aftermath.vulnerabilities),
      entryPoints: reason == nil ? entryPoints : entryPoints.mapValues { _ in .undetermined },
      sequence: failure == nil ? aftermath.sequence : nil)
  }

  /// What keeps the outcome from being read although the boot ran to its end.
  private var unreadable: String? {
    aftermath.capabilities == nil ? "where the kernel keeps its feature bits is not known" : nil
  }

  // MARK: Facts

  private func isSet(_ bit: Int) -> Bool? {
    aftermath.capabilities.flatMap { words in
      bit / 32 < words.count ? words[bit / 32] >> UInt32(bit % 32) & 1 != 0 : nil
    }
  }

  private var affected: Bool? { program.capabilities?.affectedBit.flatMap(isSet) }

  /// The last value that was written to SPEC_CTRL.
  private var specCtrl: UInt64? {
    aftermath.msrs.last { !$0.isRead && $0.index == MSRIndex.specCtrl && $0.value != nil }?.value
  }

  private var usesHardware: Bool { (specCtrl ?? 0) & Self.disableBHI != 0 }

  /// The features that sites hang on, as far as they are set.
  private var features: [FeatureReference] {
    var found: [FeatureReference] = []
    for site in program.allSites {
      guard let feature = site.feature, isSet(feature.number) == true, !found.contains(feature)
      else { continue }
      found.append(feature)
    }
    return found.sorted { $0.number < $1.number }
  }

  /// The log lines about this mitigation and what it depends on.
  private var relevantLog: [String] {
    aftermath.log.filter(LogSubjects.appear).map { String(decoding: $0, as: UTF8.self) }
  }

  var lines: [String] { aftermath.log.map { String(decoding: $0, as: UTF8.self) } }

  // MARK: Entry points

  /// Whether the kernel enters through FRED, so that none of the other ways in is used.
  private var usesFRED: Bool {
    program.fredFeature.flatMap(isSet) ?? false
  }

  private var entryPoints: [EntryPoint: EntryPointOutcome] {
    var outcomes: [EntryPoint: EntryPointOutcome] = [:]
    for entryPoint in program.entryPoints {
      outcomes[entryPoint] = outcome(at: entryPoint)
    }
    if let target = staticCall(at: .exitToUser), program.sites.functions.starting(at: target) == nil
    {
      // VMSCAPE is met by something else there, such as IBPB, which is no matter of the sequence.
      outcomes[.exitToUser] = nil
    }
    if usesFRED {
      for entryPoint in EntryPoint.replacedByFRED { outcomes[entryPoint] = nil }
    } else {
      outcomes[.fredUser] = nil
    }
    return outcomes
  }

  private func outcome(at entryPoint: EntryPoint) -> EntryPointOutcome {
    let patched = aftermath.sites.filter {
      $0.planned.site.entryPoint == entryPoint && $0.target != nil
    }
    if !patched.isEmpty {
      return .running(patched.map { $0.variant?.sequenceClass })
    }
    if let target = staticCall(at: entryPoint), program.sites.functions.starting(at: target) != nil
    {
      return .running([aftermath.sequence?.sequenceClass])
    }
    if entryPoint == .bpf, let outcome = compiledCode { return outcome }
    if usesHardware, entryPoint.entersKernel {
      return EntryPointOutcome(mechanism: .hardware, sequence: SelectedSequence.none)
    }
    return EntryPointOutcome(
      mechanism: idleMechanism(at: entryPoint), sequence: SelectedSequence.none)
  }

  /// What the BPF JIT would emit: decoded from what it asks, not executed.
  private var compiledCode: EntryPointOutcome? {
    guard let guards = program.jitGuards else {
      // The reference is there, but what it hangs on is not known.
      return program.allSites.contains { $0.kind == .jit } ? .undetermined : nil
    }
    if isSet(guards.sequence) == true {
      var outcome = EntryPointOutcome.running([aftermath.sequence?.sequenceClass])
      outcome.followedByIBHF =
        guards.fenceBehindSequence.flatMap(isSet) == true || guards.fence.flatMap(isSet) == true
      return outcome
    }
    if !usesHardware, guards.fence.flatMap(isSet) == true {
      return EntryPointOutcome(mechanism: .ibhf, sequence: SelectedSequence.none)
    }
    return nil
  }

  /// Where the last update of an entry point's static call directed it.
  private func staticCall(at entryPoint: EntryPoint) -> UInt64? {
    let keys = program.staticCallKeys.filter { $0.value == entryPoint }.keys
    return state.staticCalls.last { keys.contains($0.key) }?.target
  }

  /// What is the case where neither the sequence runs nor the hardware is told.
  private func idleMechanism(at entryPoint: EntryPoint) -> Mechanism? {
    // A kernel that does not know the bug has no code for it; nor has this file's line anything to
    // say of the way out.
    guard affected == true, entryPoint.entersKernel else { return Mechanism.none }
    guard let claim else { return nil }
    if claim.hasPrefix("Retpoline") { return .retpoline }
    // "Vulnerable, KVM: SW loop": off for all but guests.
    let isOff =
      claim.hasPrefix("Vulnerable")
      && !(entryPoint.vector == .guestToHost && claim.contains("KVM: SW loop"))
    // Where the kernel means to clear the history and nothing here does it, code is missing.
    return isOff ? .off : Mechanism.none
  }

  // MARK: Contradictions

  private var disagreements: [String] {
    var found: [String] = []
    let userSites = aftermath.sites.filter {
      $0.planned.site.entryPoint?.vector == .userToKernel
    }
    let running = userSites.filter { $0.target != nil }
    if !userSites.isEmpty, running.count != 0, running.count != userSites.count {
      found.append("\(running.count) of \(userSites.count) sites of user entries run the sequence")
    }
    if let claim {
      if claim.hasPrefix("SW loop") != !running.isEmpty, !userSites.isEmpty {
        found.append(
          "sysfs says \(claim), and \(running.count) sites of user entries run the sequence")
      }
      if claim.hasPrefix("BHI_DIS_S") != usesHardware {
        found.append(
          "sysfs says \(claim), and BHI_DIS_S was \(usesHardware ? "" : "not ")written to SPEC_CTRL"
        )
      }
      if claim.hasPrefix("Not affected"), affected == true {
        found.append("sysfs says \(claim), and X86_BUG_BHI is set")
      }
    }
    let announced = aftermath.log.contains {
      $0.contains("BHI mitigation: SW BHB clearing on") && !$0.contains("VM exit only")
    }
    if announced, running.isEmpty, !userSites.isEmpty {
      found.append("the log announces the sequence, and no site of a user entry runs it")
    }
    return found
  }
}

extension EntryPointOutcome {
  static let undetermined = EntryPointOutcome(mechanism: nil, sequence: nil)

  /// The sequence runs; with several sites the weakest counts.
  static func running(_ classes: [SequenceClass?]) -> EntryPointOutcome {
    let order: [SequenceClass] = [.absent, .deficient, .short, .long]
    let known = classes.compactMap { $0 }
    let weakest =
      known.count == classes.count
      ? order.first { known.contains($0) } : nil
    return EntryPointOutcome(
      mechanism: .sequence, sequence: weakest.flatMap { SelectedSequence($0) })
  }
}

extension SelectedSequence {
  init?(_ sequenceClass: SequenceClass) {
    switch sequenceClass {
    case .long: self = .long
    case .short: self = .short
    case .deficient: self = .deficient
    case .absent: self = .none
    }
  }
}

extension EntryPoint {
  /// The ways in that a kernel with FRED does not use.
  static let replacedByFRED: [EntryPoint] = [.syscall64, .sysenterCompat, .syscallCompat, .int80]
}

/// What lines of the log are about this mitigation, or what it depends on.
public enum LogSubjects {
  private static let all: [StaticString] = [
    "Spectre V2", "BHI", "Hypervisor detected", "spectre_bhi",
  ]

  static func appear(in line: [UInt8]) -> Bool { all.contains { line.contains($0) } }

  /// Whether one of them appears in a line that a kernel printed.
  public static func appear(in line: String) -> Bool { appear(in: Array(line.utf8)) }
}

extension [UInt8] {
  /// Whether `text` stands in these bytes.
  fileprivate func contains(_ text: StaticString) -> Bool {
    withUnsafeBytes { bytes in
      // An empty array may have no address, and glibc from 2.41 on takes none that is null.
      guard let start = bytes.baseAddress else { return false }
      return memmem(start, bytes.count, text.utf8Start, text.utf8CodeUnitCount) != nil
    }
  }
}
