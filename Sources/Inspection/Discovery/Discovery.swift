import BootMachine
import KernelImage
import Mitigation

/// Finds out which bits of a hypervisor a build listens to, without being told.
///
/// Every bit of what guest paths read from a hypervisor is flipped, and the path is run again: one
/// at a time where a contract's hypervisor speaks, elsewhere in groups at first.
public struct Discovery: Sendable {
  /// The contracts that bits are compared with.
  public var contracts: [Contract]
  /// The contract that the user asked for; nil: none.
  public var asked: Contract?
  /// The bits that mean something else.
  public var knownBits: [KnownBit]

  /// Whether every register that guests read is searched bit by bit, also those that no hypervisor
  /// of a contract owns: many seconds on a real kernel.
  public var isThorough = false

  var limits = Exploration.Limits()

  public init(contracts: [Contract], knownBits: [KnownBit], asked: Contract? = nil) {
    self.contracts = contracts
    self.knownBits = knownBits
    self.asked = asked
  }

  public init(_ catalog: MatrixCatalog, asked: Contract? = nil) {
    self.init(contracts: catalog.contracts, knownBits: catalog.knownBits, asked: asked)
  }

  private var scope: Scope {
    Scope(
      signatures: isThorough
        ? nil
        : Set(
          contracts.compactMap { contract in
            if case .cpuid(let signature, _, _) = contract.place { signature } else { nil }
          }))
  }

  /// Which registers are searched bit by bit.
  struct Scope: Sendable {
    /// The hypervisors whose leaves are; nil: all, and all model-specific registers.
    var signatures: Set<String>?

    /// Below this, model-specific registers belong to the processor (Intel SDM vol. 4, 2.1.2:
    /// 0x40000000 and up are the hypervisor's). IA32_ARCH_CAPABILITIES announces such.
    private static let firstVirtual: UInt32 = 0x4000_0000
    private static let lastVirtual: UInt32 = 0x5fff_ffff

    func includes(_ register: HypervisorRegister, of processor: Processor) -> Bool {
      guard let signatures else { return true }
      switch register {
      case .cpuid(let leaf, _):
        return processor.hypervisorSignature(at: HypervisorRegister.base(of: leaf))
          .map(signatures.contains) ?? false
      case .msr(let index):
        return index == MSRIndex.archCapabilities
          || (Self.firstVirtual...Self.lastVirtual).contains(index)
      }
    }
  }

  /// Searches an image.
  ///
  /// - Parameter results: of `rows`, in their order, with what was read.
  func search(
    _ rows: [Matrix.Row], _ results: [BootResult], of program: BootProgram, _ runner: PathRunner
  ) -> DiscoveryResult {
    let (scope, limits) = (scope, limits)
    let bases = BasePaths(rows, results, of: program.kernel, scope: scope).paths
    var explored = runner.map(bases.count, of: program) { worker, index in
      var exploration = Exploration(bases[index], scope: scope, limits: limits)
      exploration.run(&worker)
      return exploration
    }.compactMap(\.self)
    let first = explored.flatMap(\.observations)
    let leftOut = explored.reduce(into: Set()) { $0.formUnion($1.leftOut) }
      .subtracting(explored.flatMap(\.searched))

    // What outweighs a bit that was found is seen only where that bit is set.
    let yielding = Self.detections(in: first).map(\.first).filter { found in
      found.isSet && found.effect == .sequence(.short)
    }
    explored = runner.map(yielding.isEmpty ? 0 : yielding.count, of: program) { worker, index in
      guard let base = bases.first(where: { $0.row.path.id == yielding[index].path }) else {
        return nil
      }
      var exploration = Exploration(base, scope: scope, limits: limits)
      exploration.contradict(yielding[index], &worker)
      return exploration
    }.compactMap { $0 ?? nil }
    let observations = first + explored.flatMap(\.observations)

    let detections = Self.detections(in: observations)
    let names = ContractNames(contracts: contracts, asked: asked)
    let owners = detections.map { names.contract(of: $0, among: detections) }
    var probes = zip(detections, owners).flatMap { detection, contract in
      Probe.all(about: detection, of: contract, rows, results)
    }
    for (detection, contract) in zip(detections, owners) {
      guard let contract, detection.isEffective,
        detection.meaning(by: contract) == .shortAdequate, detection.meaning == .shortAdequate
      else { continue }
      probes += Probe.contradiction(detection.first, contract, rows).map { [$0] } ?? []
    }
    let line = EffectiveCommandLine(program.kernel.identity)
    let asking = probes
    let wrong = runner.map(probes.count, of: program) { worker, index in
      let probe = asking[index]
      return probe.isWrong(
        worker.run(
          BootRequest(
            processor: probe.processor, commandLine: line.text(for: probe.row.commandLine))))
    }
    let failed = zip(probes, wrong).filter { $0.1 == true }.map(\.0)
    return result(
      bases, observations, detections, owners, failed, leftOut: leftOut.count,
      silent: SilentGuests(rows, results), program)
  }

  /// The bits that some observation shows to choose a sequence, in the order they were met.
  private static func detections(in observations: [Observation]) -> [Detection] {
    var found: [Detection] = []
    for observation in observations where observation.meaning != nil {
      // A register that is announced no more takes its bits with it: that is no statement.
      if !observation.isSet, !observation.route.isEmpty { continue }
      if let index = found.firstIndex(where: { $0.place == observation.bit.place }) {
        found[index].observations.append(observation)
      } else {
        found.append(Detection(place: observation.bit.place, observations: [observation]))
      }
    }
    return found
  }

  private func result(
    _ bases: [BasePath], _ observations: [Observation], _ detections: [Detection],
    _ owners: [Contract?], _ failed: [Probe], leftOut: Int, silent: SilentGuests,
    _ program: BootProgram
  ) -> DiscoveryResult {
    var result = DiscoveryResult()
    result.detections = zip(detections, owners).map { detection, contract in
      ListenedBit(
        detection.first.bit, meaning: detection.meaning, contract: contract?.id,
        readAt: detection.first.place(in: program))
    }
    let decisive = Set(detections.map(\.place))
    var other: Set<BitPlace> = []
    for observation in observations where observation.effect == .mechanism {
      guard !decisive.contains(observation.bit.place),
        other.insert(observation.bit.place).inserted
      else { continue }
      result.otherInfluences.append(observation.listened(in: program))
    }
    var idle: Set<BitPlace> = []
    for observation in observations where observation.effect == .courseOnly {
      guard !decisive.contains(observation.bit.place), !other.contains(observation.bit.place),
        idle.insert(observation.bit.place).inserted
      else { continue }
      result.withoutEffect.append(observation.listened(in: program))
    }
    result.observations = observations.filter { $0.before != nil }.map {
      BitObservation(
        bit: $0.listened(in: program), path: $0.path, before: $0.before, after: $0.after)
    }
    result.findings =
      DetectionFindings(
        bases: bases, observations: observations, detections: detections, owners: owners,
        failed: failed, leftOut: leftOut, asked: asked, contracts: contracts,
        known: Set(knownBits.map(\.place)), silent: silent, program: program
      ).all
    return result
  }
}

extension Observation {
  /// The instruction that read the bit: the last one, for what decides comes late.
  func place(in program: BootProgram) -> String? {
    addresses.last.map { program.kernel.describe($0) }
  }

  func listened(in program: BootProgram) -> ListenedBit {
    ListenedBit(bit, meaning: meaning, contract: nil, readAt: place(in: program))
  }
}

/// What guests get whose hypervisor says nothing.
struct SilentGuests: Sendable {
  /// The ids of the paths that run the sequence, and of those among them that run it short.
  private(set) var paths: [String] = []
  private(set) var short: [String] = []
  private(set) var allLong = true

  init(_ rows: [Matrix.Row], _ results: [BootResult]) {
    for (row, result) in zip(rows, results) {
      guard row.path.statement == .silent, row.environment.isGuest, result.isDetermined,
        result.uses(.sequence)
      else { continue }
      paths.append(row.path.id)
      let selected = result.entryPoints.values.filter { $0.mechanism == .sequence }.map(\.sequence)
      if selected.contains(.short) { short.append(row.path.id) }
      if selected.contains(where: { $0 != .long }) { allLong = false }
    }
  }
}
