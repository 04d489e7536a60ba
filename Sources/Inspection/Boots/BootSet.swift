public import Mitigation

/// The fewest boot paths found that notice every mutant which any path notices: those first that
/// can be booted.
public struct BootSet: Sendable, Hashable {
  /// Paths that can be booted, the most useful first.
  public private(set) var bootable: [String] = []
  /// What others have to be run in the emulator for.
  public private(set) var others: [String] = []
  /// Mutants that some path notices.
  public private(set) var killable = 0
  /// Mutants that a path of `bootable` notices.
  public private(set) var noticedByBoots = 0

  public init(_ report: MutationReport, isBootable: (String) -> Bool) {
    var order: [String] = []
    var noticed: [String: [Int]] = [:]
    for (index, result) in report.mutants.enumerated() where result.isNoticed {
      killable += 1
      for path in result.killedBy {
        if noticed[path] == nil { order.append(path) }
        noticed[path, default: []].append(index)
      }
    }
    let ids = order.sorted()
    let able = ids.filter(isBootable)
    bootable = PathCover(able.map { noticed[$0] ?? [] }).chosen.map { able[$0.index] }
    let seen = Set(bootable.flatMap { noticed[$0] ?? [] })
    noticedByBoots = seen.count
    let rest = ids.filter { !isBootable($0) }
    others = PathCover(rest.map { (noticed[$0] ?? []).filter { !seen.contains($0) } }).chosen
      .map { rest[$0.index] }
  }

  public var all: [String] { bootable + others }
}
