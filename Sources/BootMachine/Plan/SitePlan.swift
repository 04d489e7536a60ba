internal import Alternatives
internal import KernelImage
internal import Mitigation

/// A site as the machine sees it: what to hand to the kernel's apply_alternatives(), where to look
/// afterwards.
struct PlannedSite: Sendable {
  var site: Site
  /// Where the site's bytes are in the guest.
  var address: UInt64
  var length: Int
  /// The site's entries in the table, in its order; none for a call in the code itself.
  var entries: [UInt64]
  var symbol: String

  var isModule: Bool { site.image != SitePlan.vmlinux }
}

/// The sites and functions of an image that the machine patches and runs after the decision.
struct SitePlan: Sendable {
  let sites: [PlannedSite]
  /// Entries inside the functions themselves.
  let inside: [UInt64]
  /// The size of an alternatives entry, in bytes.
  let entrySize: Int
  let functions: SequenceFunctions
  /// Places in the table of returns that lie in a function (`__return_sites`).
  let returns: [UInt64]
  /// What to write into the guest for sites of modules, which are not loaded there.
  let moduleBytes: [(address: UInt64, bytes: [UInt8])]
  /// Sites that cannot be patched here, with the reason.
  let unreachable: [String]

  init(
    _ kernel: KernelImage, functions: SequenceFunctions, table: AlternativesTable, sites: [Site],
    moduleArea: AddressMap.Area
  ) {
    self.functions = functions
    entrySize = table.layout?.stride ?? 0
    var planned: [PlannedSite] = []
    var unreachable: [String] = []
    var builder = ModuleSites(area: moduleArea)
    for site in sites {
      switch site.kind {
      case .alternative where site.image == Self.vmlinux:
        let entries = table.entries.filter { $0.site == site.address.value }
        // One place may carry several alternatives: the kernel works on it once for each.
        guard !planned.contains(where: { $0.address == site.address.value }) else { continue }
        planned.append(
          PlannedSite(
            site: site, address: site.address.value,
            length: entries.map(\.originalLength).max() ?? 0, entries: entries.map(\.address),
            symbol: site.symbol ?? site.address.description))
      case .alternative:
        guard let layout = table.layout,
          let entry = builder.add(site, layout: layout, functions: functions)
        else {
          unreachable.append("\(site.image): \(site.symbol ?? site.address.description)")
          continue
        }
        planned.append(
          PlannedSite(
            site: site, address: entry.site, length: entry.originalLength,
            entries: [entry.address], symbol: site.symbol ?? site.address.description))
      case .direct where site.image == Self.vmlinux:
        planned.append(
          PlannedSite(
            site: site, address: site.address.value, length: site.original?.bytes.count ?? 5,
            entries: [], symbol: site.symbol ?? site.address.description))
      case .direct, .inside, .staticCall, .jit: continue
      }
    }
    self.sites = planned
    self.unreachable = unreachable
    moduleBytes = builder.bytes
    inside = functions.functions.flatMap { $0.alternatives.map(\.address) }
    returns = Self.returns(in: functions, kernel)
  }

  static let vmlinux = "vmlinux"

  /// The entries of `__return_sites` (place-relative) that lie in one of the functions.
  private static func returns(in functions: SequenceFunctions, _ kernel: KernelImage) -> [UInt64] {
    guard !functions.isEmpty,
      let table = kernel.table(
        from: "__return_sites", to: "__return_sites_end", orSection: ".return_sites"),
      let bytes = kernel.bytes(at: table.lowerBound, count: table.count)
    else { return [] }
    let ranges = functions.functions.map(\.range)
    var found: [UInt64] = []
    for offset in stride(from: 0, through: bytes.count - 4, by: 4) {
      let place = table.lowerBound &+ UInt64(offset)
      let target = place.displaced(bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self))
      if ranges.contains(where: { $0.contains(target) }) { found.append(place) }
    }
    return found
  }
}

/// Lays out the sites of modules in an area of the guest's module space, as the kernel's loader
/// would: entry, site and replacement, relocated.
private struct ModuleSites {
  private var next: UInt64
  private let end: UInt64
  private(set) var bytes: [(address: UInt64, bytes: [UInt8])] = []

  init(area: AddressMap.Area) {
    next = area.guest
    end = area.guestRange.upperBound
  }

  private mutating func take(_ count: Int) -> UInt64? {
    let size = UInt64((count + 15) & ~15)
    guard count >= 0, size <= end - next else { return nil }
    defer { next += size }
    return next
  }

  mutating func add(
    _ site: Site, layout: AlternativesLayout, functions: SequenceFunctions
  ) -> AlternativeEntry? {
    guard let original = site.original?.bytes, var replacement = site.replacement?.bytes,
      let feature = site.feature,
      let function = functions.functions.first(where: { $0.symbol == site.target }),
      // The module's loader fills in the displacement that the relocation left open.
      let call = replacement.firstIndex(where: { $0 == 0xe8 || $0 == 0xe9 }),
      call + 5 <= replacement.count, let entryPlace = take(layout.stride),
      let sitePlace = take(original.count), let replacementPlace = take(replacement.count),
      let displacement = Int32(
        exactly: Int64(bitPattern: function.address &- (replacementPlace &+ UInt64(call + 5))))
    else { return nil }
    withUnsafeBytes(of: displacement.littleEndian) { source in
      for (index, byte) in source.enumerated() { replacement[call + 1 + index] = byte }
    }
    let entry = AlternativeEntry(
      address: entryPlace, site: sitePlace, replacement: replacementPlace,
      feature: feature.number, negated: site.negated, directCall: false,
      originalLength: original.count, replacementLength: replacement.count)
    guard let encoded = layout.encoded(entry) else { return nil }
    bytes += [(entryPlace, encoded), (sitePlace, original), (replacementPlace, replacement)]
    return entry
  }
}
