import BootMachine
public import Mitigation

/// A bit that decides between the short and the long sequence, with all that was seen of it.
struct Detection: Sendable {
  var place: BitPlace
  var observations: [Observation]

  /// The observation that tells what the bit means: one where an entry point changed, with as few
  /// other bits changed as possible.
  var first: Observation {
    observations.min { Self.rank($0) < Self.rank($1) } ?? observations[0]
  }

  private static func rank(_ observation: Observation) -> Int {
    let runs = if case .sequence = observation.effect { 0 } else { 100 }
    return runs + observation.route.count
  }

  var meaning: ListenedBit.Meaning? { first.meaning }

  /// Whether it changes what an entry point runs, or only what would run.
  var isEffective: Bool {
    observations.contains { if case .sequence = $0.effect { true } else { false } }
  }

  /// Whether all there is of it is seen only by guests that see BHI_CTRL as well.
  var isBehindBHIControl: Bool {
    !isEffective && observations.allSatisfy(\.showsBHIControl)
  }

  /// The hypervisors in whose leaves it counts, in the order they were met.
  var speakers: [String] {
    var found: [String] = []
    for speaker in observations.compactMap(\.speaker) where !found.contains(speaker) {
      found.append(speaker)
    }
    return found
  }
}

/// What the search for the bits that a build listens to brought.
public struct DiscoveryResult: Sendable {
  /// The bits that decide between the short and the long sequence.
  public internal(set) var detections: [ListenedBit] = []
  /// The bits that change the choice in another way.
  public internal(set) var otherInfluences: [ListenedBit] = []
  /// Bits that change what runs or what is printed, but not the choice.
  public internal(set) var withoutEffect: [ListenedBit] = []
  /// What each of all these did, path by path.
  public internal(set) var observations: [BitObservation] = []
  /// How many boots it took.
  public internal(set) var boots = 0
  public internal(set) var findings: [Finding] = []
}

/// What one bit did on one path.
public struct BitObservation: Sendable, Hashable {
  public var bit: ListenedBit
  /// The id of the path from which it was flipped.
  public var path: String
  /// Nil where nothing changed at the entry points.
  public var before: [EntryPoint: EntryPointOutcome]?
  public var after: [EntryPoint: EntryPointOutcome]?
}

extension ListenedBit {
  init(_ bit: HypervisorBit, meaning: Meaning?, contract: String?, readAt: String?) {
    switch bit.register {
    case .cpuid(let leaf, let register):
      self.init(
        source: .cpuid, leaf: leaf, register: Register(rawValue: register.rawValue), bit: bit.bit,
        meaning: meaning, contract: contract, readAt: readAt)
    case .msr(let index):
      self.init(
        source: .msr, index: index, bit: bit.bit, meaning: meaning, contract: contract,
        readAt: readAt)
    }
  }
}
