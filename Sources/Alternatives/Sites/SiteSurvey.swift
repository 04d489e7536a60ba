public import Mitigation

/// A site with what a machine needs to run it, beside what a report says of it.
public struct FoundSite: Sendable, Hashable {
  public var site: Site
  /// The alternatives entry; nil for other kinds of sites. In a module its addresses are offsets in
  /// the sections that they lie in.
  public var entry: AlternativeEntry?
  /// What the replacement does; nil for sites that are no alternatives, or lie in the sequence.
  public var replacement: Replacement?
  /// What the BPF JIT asks before it emits the sequence; nil for other sites, and where its tests
  /// were not recognised.
  public var guards: JITGuards?
  /// Whether LFENCE stands in the code behind the site, in front of any branch; nil for sites that
  /// this does not apply to.
  public var barrierFollows: Bool?

  public init(
    site: Site, entry: AlternativeEntry? = nil, replacement: Replacement? = nil,
    guards: JITGuards? = nil, barrierFollows: Bool? = nil
  ) {
    self.site = site
    self.entry = entry
    self.replacement = replacement
    self.guards = guards
    self.barrierFollows = barrierFollows
  }
}

/// All places of an image and its modules that run the sequence, and those that should.
public struct SiteSurvey: Sendable, Hashable {
  /// Those of vmlinux in ascending order of address, then those of the modules.
  public var sites: [FoundSite]
  /// Entry points of a shape the kernel has that have no site.
  public var missing: [EntryPoint]
  /// Entry points whose sites could not be looked for: they are in files that were not given, or
  /// the image has no symbols to know them by.
  public var unknown: [EntryPoint]
  /// What was wrong with modules, for people.
  public var notes: [String]
}
