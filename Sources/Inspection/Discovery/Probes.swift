import BootMachine
import Mitigation

/// A boot with a found bit set where the bit must not count, or where two bits contradict.
struct Probe: Sendable {
  enum Question: Sendable, Hashable {
    case onBareMetal
    case under(signature: String)
    case inConfidentialGuest
    /// Both bits of a contract are set.
    case longRequiredToo
  }

  var question: Question
  var detection: BitPlace
  var row: Matrix.Row
  /// What the row chooses as it stands; nil where it does not matter.
  var base: BootResult?
  var processor: Processor

  /// Whether the answer is that the build is wrong.
  func isWrong(_ result: BootResult) -> Bool {
    guard result.isDetermined else { return false }
    if question == .longRequiredToo {
      return result.entryPoints.values.contains { $0.sequence == .short }
    }
    guard let base else { return false }
    switch Effect(from: base, to: result) {
    case .sequence(let selected):
      // Long for one who is not to be believed is merely slow.
      return question != .inConfidentialGuest || selected == .short
    default: return false
    }
  }

  /// What is to be asked about `detection`, whose contract is known if it has one.
  static func all(
    about detection: Detection, of contract: Contract?, _ rows: [Matrix.Row],
    _ results: [BootResult]
  ) -> [Probe] {
    var probes: [Probe] = []
    let found = detection.first
    var seen: Set<Question> = []
    var bareOutcomes: Set<[EntryPoint: EntryPointOutcome]> = []
    let home = homeSignature(of: detection, contract)
    for (row, base) in zip(rows, results) {
      guard row.path.statement == .silent, row.path.commandLine.isEmpty, base.isDetermined,
        base.uses(.sequence)
      else { continue }
      func ask(_ question: Question, at leaves: UInt32) {
        var processor = row.processor
        for bit in found.route where !bit.place.isCPUID { processor = processor.setting(bit) }
        processor = processor.setting(detection.place.bit(at: leaves))
        probes.append(
          Probe(
            question: question, detection: detection.place, row: row, base: base,
            processor: processor))
      }
      guard row.environment.isGuest else {
        if bareOutcomes.insert(base.entryPoints).inserted { ask(.onBareMetal, at: 0x4000_0000) }
        continue
      }
      guard row.environment.knowsItIsGuest else { continue }
      if row.environment.confidential != nil {
        let leaves = row.environment.hypervisor?.base ?? 0x4000_0000
        if seen.insert(.inConfidentialGuest).inserted { ask(.inConfidentialGuest, at: leaves) }
        continue
      }
      guard detection.place.isCPUID, let home else { continue }
      for leaves in row.processor.hypervisorBases {
        guard let signature = row.processor.hypervisorSignature(at: leaves), signature != home
        else { continue }
        let question = Question.under(signature: signature)
        if seen.insert(question).inserted { ask(question, at: leaves) }
      }
    }
    return probes
  }

  /// Whose bit it is: the contract's hypervisor, else KVM if it counts there, else the first.
  static func homeSignature(of detection: Detection, _ contract: Contract?) -> String? {
    if case .cpuid(let signature, _, _)? = contract?.place { return signature }
    return detection.speakers.first
  }

  /// Both bits of `contract`, where `found` alone selects the short sequence.
  static func contradiction(
    _ found: Observation, _ contract: Contract, _ rows: [Matrix.Row]
  ) -> Probe? {
    guard let longRequired = contract.longRequired,
      let row = rows.first(where: { $0.path.id == found.path })
    else { return nil }
    var processor = row.processor
    for bit in found.route + [found.bit] { processor = processor.setting(bit) }
    processor = processor.setting(
      HypervisorBit(register: found.bit.register, bit: longRequired))
    return Probe(
      question: .longRequiredToo, detection: found.bit.place, row: row, base: nil,
      processor: processor)
  }
}

extension Processor {
  /// The leaves where hypervisors name themselves.
  var hypervisorBases: [UInt32] {
    guard cpuid.showsHypervisor else { return [] }
    return stride(from: BootRead.hypervisorLeaves.lowerBound, to: 0x4001_0000, by: 0x100).filter {
      hypervisorSignature(at: $0) != nil
    }
  }
}
