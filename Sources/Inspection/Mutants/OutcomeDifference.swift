import BootMachine
import Mitigation

extension BootResult {
  /// How this outcome differs from that of the right build.
  func differences(from original: BootResult) -> Set<MutantResult.Difference> {
    if outcome.undeterminedBecause != nil { return [.undetermined] }
    var found: Set<MutantResult.Difference> = []
    if entryPoints.mapValues(\.mechanism) != original.entryPoints.mapValues(\.mechanism)
      || entryPoints.mapValues(\.followedByIBHF)
        != original.entryPoints.mapValues(\.followedByIBHF)
    {
      found.insert(.mechanism)
    }
    if entryPoints.mapValues(\.sequence) != original.entryPoints.mapValues(\.sequence) {
      found.insert(.sequence)
    }
    let variants = siteVariants + [sequence]
    for (mine, theirs) in zip(variants, original.siteVariants + [original.sequence]) {
      if mine?.barrier != theirs?.barrier { found.insert(.barrier) }
      if mine?.branches != theirs?.branches || mine?.outer != theirs?.outer
        || mine?.inner != theirs?.inner
      {
        found.insert(.sequence)
      }
    }
    if outcome.sysfs != original.outcome.sysfs { found.insert(.sysfs) }
    let (mine, theirs) = (outcome.evidence, original.outcome.evidence)
    if mine.features != theirs.features { found.insert(.features) }
    if mine.affected != theirs.affected { found.insert(.affected) }
    if mine.specCtrl != theirs.specCtrl { found.insert(.specCtrl) }
    if mine.log != theirs.log { found.insert(.log) }
    return found
  }
}
