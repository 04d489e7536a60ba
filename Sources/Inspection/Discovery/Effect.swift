import BootMachine
import Mitigation

/// What flipping one bit does to a boot.
enum Effect: Sendable, Hashable {
  case nothing
  /// Other code ran or other lines were printed, and the same was chosen.
  case courseOnly
  /// The counts changed that the sequence would run with; no entry point runs it.
  case idleSequence(SelectedSequence)
  /// Short became long, or long short, at some entry point, and no mechanism changed.
  case sequence(SelectedSequence)
  /// Something else about the choice changed.
  case mechanism
  /// The kernel did not come to its decision.
  case undetermined

  init(from before: BootResult, to after: BootResult) {
    guard before.isDetermined, after.isDetermined else {
      self = .undetermined
      return
    }
    if before.entryPoints != after.entryPoints {
      self = Self.change(before.entryPoints, after.entryPoints).map { .sequence($0) } ?? .mechanism
    } else if let old = before.sequence?.sequenceClass, let new = after.sequence?.sequenceClass,
      old != new, let selected = SelectedSequence(rawValue: new.rawValue)
    {
      self = .idleSequence(selected)
    } else {
      self = before.course == after.course ? .nothing : .courseOnly
    }
  }

  /// Whether the bit counts for which sequence it is, and what it became.
  var selected: SelectedSequence? {
    switch self {
    case .sequence(let selected), .idleSequence(let selected): selected
    default: nil
    }
  }

  /// The sequence that entry points changed to, if that is all that changed.
  private static func change(
    _ before: [EntryPoint: EntryPointOutcome], _ after: [EntryPoint: EntryPointOutcome]
  ) -> SelectedSequence? {
    guard before.count == after.count else { return nil }
    var changes: Set<[SelectedSequence]> = []
    for (entryPoint, old) in before {
      guard let new = after[entryPoint], new.mechanism == old.mechanism else { return nil }
      guard new.sequence != old.sequence else { continue }
      guard let from = old.sequence, let to = new.sequence else { return nil }
      changes.insert([from, to])
    }
    switch changes {
    case [[.short, .long]]: return .long
    case [[.long, .short]]: return .short
    default: return nil
    }
  }
}

extension BootResult {
  var isDetermined: Bool { outcome.undeterminedBecause == nil }

  func uses(_ mechanism: Mechanism) -> Bool {
    entryPoints.values.contains { $0.mechanism == mechanism }
  }
}
