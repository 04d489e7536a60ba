public import KernelImage
internal import Mitigation

/// Finds the places of an image that run the sequence.
public struct SiteFinder: Sendable {
  let kernel: KernelImage
  let table: AlternativesTable
  let functions: SequenceFunctions
  let features: FeatureNames

  public init(
    _ kernel: KernelImage, _ table: AlternativesTable, _ functions: SequenceFunctions,
    _ features: FeatureNames
  ) {
    self.kernel = kernel
    self.table = table
    self.functions = functions
    self.features = features
  }

  /// All sites of vmlinux and of `modules`, and what is missing.
  public func survey(modules: [KernelModule], _ decoder: borrowing Decoder) -> SiteSurvey {
    var sites: [FoundSite] = []
    var notes: [String] = []
    if !functions.isEmpty {
      sites += alternatives(decoder)
      sites += staticCalls(decoder)
      let shared = sharedFeature(of: sites)
      sites += references(decoder).map { found in
        var found = found
        if found.site.kind == .jit, let shared, isTested(shared.number, around: found.site) {
          found.site.feature = shared
        }
        return found
      }
      sites.sort { $0.site.address < $1.site.address }
    }
    for module in modules {
      let found = ModuleSites(module, self, decoder)
      sites += found.sites
      notes += found.notes
    }
    let (missing, unknown) = absent(sites.compactMap(\.site.entryPoint), modules)
    return SiteSurvey(sites: sites, missing: missing, unknown: unknown, notes: notes)
  }

  // MARK: Alternatives

  private func alternatives(_ decoder: borrowing Decoder) -> [FoundSite] {
    let targets = functions.functions.map(\.address)
    var sites: [FoundSite] = []
    for entry in table.entries {
      if entry.replacementLength >= 5,
        let bytes = kernel.bytes(at: entry.replacement, count: entry.replacementLength),
        let replacement = Replacement(bytes, at: entry.replacement, targets: targets, decoder)
      {
        sites.append(site(of: entry, replacement, decoder))
      } else if let function = functions.containing(entry.site) {
        sites.append(inside(function, entry, decoder))
      }
    }
    return sites
  }

  private func site(
    of entry: AlternativeEntry, _ replacement: Replacement, _ decoder: borrowing Decoder
  ) -> FoundSite {
    let function = replacement.target.flatMap { functions.starting(at: $0) }
    let place = place(of: entry.site)
    var site = Site(
      entryPoint: place.entryPoint, kind: .alternative, image: "vmlinux",
      address: Address(entry.site),
      symbol: place.symbol, section: place.section,
      feature: features.reference(entry.feature, use: place.entryPoint.map { .site($0) }),
      negated: entry.negated, original: nil, replacement: nil, target: function?.symbol)
    describe(&site, entry, decoder)
    site.barrier =
      replacement.isFullyDecoded || replacement.hasBarrier ? replacement.hasBarrier : nil
    return FoundSite(
      site: site, entry: entry, replacement: replacement,
      barrierFollows: barrier(behind: entry.siteRange.upperBound, decoder))
  }

  /// The feature that the entries from user space hang on; nil if they do not agree.
  private func sharedFeature(of sites: [FoundSite]) -> FeatureReference? {
    let features = sites.map(\.site).filter {
      $0.kind == .alternative && $0.entryPoint?.vector == .userToKernel && !$0.negated
    }.map(\.feature)
    guard let first = features.first, features.allSatisfy({ $0 == first }) else { return nil }
    return first
  }

  /// Whether the function that `site` lies in asks for a feature: static_cpu_has() is an alternative
  /// whose replacement is a jump or empty (arch/x86/include/asm/cpufeature.h).
  private func isTested(_ feature: Int, around site: Site) -> Bool {
    guard let nearest = kernel.symbols.nearest(to: site.address.value) else { return false }
    let start = site.address.value - nearest.offset
    guard let end = kernel.symbols.end(of: start) else { return false }
    return table.entries.contains {
      $0.feature == feature && $0.site >= start && $0.site < end && $0.replacementLength <= 5
    }
  }

  private func inside(
    _ function: SequenceFunction, _ entry: AlternativeEntry, _ decoder: borrowing Decoder
  ) -> FoundSite {
    let place = place(of: entry.site)
    var site = Site(
      entryPoint: nil, kind: .inside, image: "vmlinux", address: Address(entry.site),
      symbol: place.symbol, section: place.section,
      feature: features.reference(entry.feature, use: .inside), negated: entry.negated,
      original: nil, replacement: nil, target: function.symbol)
    describe(&site, entry, decoder)
    return FoundSite(site: site, entry: entry)
  }

  /// Adds the bytes of both sides, and their text.
  private func describe(
    _ site: inout Site, _ entry: AlternativeEntry, _ decoder: borrowing Decoder
  ) {
    if let bytes = kernel.bytes(at: entry.site, count: entry.originalLength) {
      site.original = HexBytes(bytes)
      site.originalText = text(bytes, at: entry.site, decoder)
    }
    if let bytes = kernel.bytes(at: entry.replacement, count: entry.replacementLength) {
      site.replacement = HexBytes(bytes)
      site.replacementText = text(bytes, at: entry.replacement, decoder)
    }
  }

  private func text(
    _ bytes: UnsafeRawBufferPointer, at address: UInt64, _ decoder: borrowing Decoder
  ) -> String {
    let names = Dictionary(
      functions.functions.map { ($0.address, $0.symbol) }, uniquingKeysWith: { first, _ in first })
    return decoder.text(of: bytes, at: address) { names[$0.target ?? 0] }
  }

  /// Whether LFENCE stands behind `address`, in front of any branch.
  func barrier(behind address: UInt64, _ decoder: borrowing Decoder) -> Bool {
    guard let segment = kernel.segments.first(where: { $0.backed.contains(address) }),
      let bytes = kernel.bytes(
        at: address, count: Int(min(segment.backed.upperBound - address, 128)))
    else { return false }
    return decoder.reachesBarrier(bytes, at: address)
  }

  // MARK: Where something is

  struct Place {
    var symbol: String?
    var section: String?
    var entryPoint: EntryPoint?
  }

  func place(of address: UInt64) -> Place {
    let nearest = kernel.symbols.nearest(to: address)
    return Place(
      symbol: nearest.map { SiteFinder.label($0.name, $0.offset) },
      section: kernel.section(containing: address)?.name,
      entryPoint: nearest.flatMap { EntryPointSymbol.entryPoint(of: $0.name) })
  }

  /// A symbol with the distance from it: `name+0x64`.
  static func label(_ name: String, _ offset: UInt64) -> String {
    offset == 0 ? name : "\(name)+\(hexadecimal(offset))"
  }
}
