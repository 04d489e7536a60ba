import BootMachine
import KernelImage
import Mitigation

/// What the search for a hypervisor's bit says against a build: BHB010 to BHB015.
struct DetectionFindings {
  var bases: [BasePath]
  var observations: [Observation]
  var detections: [Detection]
  /// The contract of each detection; nil: none.
  var owners: [Contract?]
  /// The probes whose answer is wrong.
  var failed: [Probe]
  /// How many registers were read and not searched, for there is a limit.
  var leftOut: Int
  /// The contract that the user asked for.
  var asked: Contract?
  var contracts: [Contract]
  /// The bits that mean something else.
  var known: Set<KnownBit.Place>
  var silent: SilentGuests
  var program: BootProgram

  var all: [Finding] {
    let found = withoutEffect + inverted + outOfPlace + ignored
    return (found.contains { $0.id == .bitWithoutEffect } ? [] : missing) + found + otherBit
  }

  // MARK: BHB010

  private var missing: [Finding] {
    // Where no guest runs a sequence, there is nothing that a bit could choose.
    guard detections.isEmpty, !silent.paths.isEmpty else { return [] }
    let flipped = bases.reduce(0) { $0 + $1.registers.reduce(0) { $0 + $1.register.width } }
    let grouped = bases.reduce(0) { $0 + $1.grouped.reduce(0) { $0 + $1.register.width } }
    let together = grouped == 0 ? "" : " one by one, and \(grouped) in groups,"
    return [
      Finding(
        .noDetection,
        "No bit of a hypervisor influences the choice between the short and the long sequence: "
          + "\(flipped) bits were flipped\(together) on \(bases.count) paths of guests"
          + end,
        severity: silent.allLong ? .warning : nil, paths: silent.paths)
    ]
  }

  /// How a sentence about what was not found ends.
  private var end: String {
    leftOut == 0
      ? "." : "; not searched, for there is a limit: \(counted(leftOut, "more register"))."
  }

  // MARK: BHB011

  private var withoutEffect: [Finding] {
    let decisive = Set(detections.map(\.place))
    let gates = Set(detections.flatMap(\.observations).flatMap(\.route).map(\.place))
    let influential = Set(
      observations.filter { $0.effect == .mechanism }.map(\.bit.place))
    var seen: Set<BitPlace> = []
    return observations.compactMap { observation in
      let place = observation.bit.place
      guard observation.effect == .courseOnly, isStatement(observation), !decisive.contains(place),
        !gates.contains(place), !influential.contains(place), seen.insert(place).inserted
      else { return nil }
      return Finding(
        .bitWithoutEffect,
        "\(observation.bit.text) is looked at, and the same sequence is selected either way\(end)",
        paths: paths(of: place), locations: locations(observation))
    }
  }

  /// Whether a bit could be the one that hypervisors state something with: none that is known for
  /// something else, nor what an ordinary register of a CPU says.
  private func isStatement(_ observation: Observation) -> Bool {
    let place = observation.bit.place
    let speakers = observation.speaker.map { [$0] } ?? []
    // Whether long-required is heard has a rule of its own.
    if !detections.isEmpty, asked?.meaning(of: place, under: speakers) == .longRequired {
      return false
    }
    if let speaker = observation.speaker,
      known.contains(KnownBit.Place(signature: speaker, place: place))
    {
      return false
    }
    if contracts.contains(where: { $0.meaning(of: place, under: speakers) != nil }) { return true }
    switch place {
    case .cpuid(let offset, _, _): return offset != 0 && observation.speaker == Self.kvm
    case .msr(let index, _): return Self.virtualRegisters.contains(index)
    }
  }

  /// Only KVM's bits are listed completely; what others say by theirs is not known here.
  private static let kvm = "KVMKVMKVM"
  /// The virtual MSRs of the unmerged series, and what could follow them; Hyper-V's and KVM's own
  /// lie below (Intel SDM vol. 4, 2.1: no CPU implements MSRs from 0x40000000 on).
  private static let virtualRegisters: Range<UInt32> = 0x5000_0000..<0x6000_0000

  // MARK: BHB012

  private var inverted: [Finding] {
    zip(detections, owners).compactMap { detection, contract in
      let defined = contract.flatMap { detection.meaning(by: $0) }
      let contradicts = defined != nil && defined != detection.meaning
      // Silence makes it short, and the bit makes it long.
      let backwards = detection.observations.contains {
        $0.meaning == .longRequired && isSilent($0)
      }
      guard detection.isEffective, contradicts || backwards else { return nil }
      let first = detection.first
      return Finding(
        .invertedPolarity,
        defined == .longRequired
          ? "\(first.bit.text) means long-required, and setting it selects the short sequence."
          : "Setting \(first.bit.text) selects the long sequence, and without it guests run the "
            + "short one.",
        paths: paths(of: detection.place), locations: locations(first))
    }
  }

  /// Whether the observation started from a path where nothing was stated.
  private func isSilent(_ observation: Observation) -> Bool {
    let decisive = Set(detections.map(\.place))
    return observation.route.allSatisfy { !decisive.contains($0.place) }
  }

  // MARK: BHB013

  private var outOfPlace: [Finding] {
    detections.compactMap { detection in
      var places: [String] = []
      var paths: [String] = []
      if detection.isBehindBHIControl, bases.contains(where: { !$0.showsBHIControl }) {
        places.append("only where the guest sees BHI_CTRL, and nothing runs the sequence there")
        paths += detection.observations.map(\.path)
      } else {
        let behind = detection.observations.filter {
          $0.showsBHIControl && $0.effect == .sequence(.short)
        }
        if !behind.isEmpty {
          places.append("where the guest sees BHI_CTRL")
          paths += behind.map(\.path)
        }
      }
      for probe in failed where probe.detection == detection.place {
        guard let text = probe.question.text else { continue }
        if !places.contains(text) { places.append(text) }
        paths.append(probe.row.path.id)
      }
      guard !places.isEmpty else { return nil }
      return Finding(
        .bitOutOfPlace,
        "\(detection.first.bit.text) counts " + places.joined(separator: ", ") + ".",
        paths: paths.withoutRepetition, locations: locations(detection.first))
    }
  }

  // MARK: BHB014

  private var ignored: [Finding] {
    failed.filter { $0.question == .longRequiredToo }.map { probe in
      Finding(
        .longRequiredIgnored,
        "A hypervisor that states both long-required and short-adequate gets the short sequence.",
        paths: [probe.row.path.id],
        locations: detections.first { $0.place == probe.detection }.map { locations($0.first) }
          ?? [])
    }
  }

  // MARK: BHB015

  private var otherBit: [Finding] {
    guard let asked, !detections.isEmpty else { return [] }
    let isHeard = detections.contains { $0.meaning(by: asked) != nil }
    let strangers = zip(detections, owners).filter { detection, contract in
      isHeard ? contract == nil : true
    }.map(\.0)
    guard !strangers.isEmpty else { return [] }
    let names = strangers.map(\.first.bit.text).joined(separator: ", ")
    return [
      Finding(
        .wrongBit,
        "The build listens to \(names)" + (isHeard ? " as well as" : ", not")
          + " to what the contract \(asked.id) defines.",
        paths: strangers.flatMap { paths(of: $0.place) }.withoutRepetition,
        locations: strangers.flatMap { locations($0.first) })
    ]
  }

  // MARK: What findings rest on

  private func paths(of place: BitPlace) -> [String] {
    observations.filter { $0.bit.place == place }.map(\.path).withoutRepetition
  }

  private func locations(_ observation: Observation) -> [Location] {
    observation.addresses.suffix(1).map { address in
      Location(
        image: "vmlinux", address: Address(address),
        symbol: program.kernel.symbols.nearest(to: address)?.name)
    }
  }
}

extension HypervisorBit {
  /// As people write it.
  var text: String {
    switch register {
    case .cpuid(let leaf, let register):
      "bit \(bit) of CPUID.\(hexadecimal(UInt64(leaf))):\(register.rawValue.uppercased())"
    case .msr(let index): "bit \(bit) of MSR \(hexadecimal(UInt64(index)))"
    }
  }
}

extension Array where Element: Hashable {
  fileprivate var withoutRepetition: [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}

extension Probe.Question {
  /// Where a bit must not count; nil for another question.
  fileprivate var text: String? {
    switch self {
    case .onBareMetal: "on bare metal"
    case .under(let signature): "under the signature \(signature)"
    case .inConfidentialGuest: "in a confidential guest"
    case .longRequiredToo: nil
    }
  }
}
