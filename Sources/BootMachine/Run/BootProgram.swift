public import Alternatives
public import KernelImage
public import Mitigation

/// An image made ready to boot in the emulator, with the sites whose fate is wanted: what all its
/// machines share.
public final class BootProgram: Sendable {
  public var kernel: KernelImage { image.kernel }
  let image: BootImage
  let sites: SitePlan
  /// Where the feature bits are; nil if that is not known.
  let capabilities: Capabilities?
  /// All sites that were found, also those that are not patched here.
  let allSites: [Site]
  /// The entry points that the image has, as far as its files tell.
  let entryPoints: [EntryPoint]
  /// The keys of static calls that may run the sequence, by address.
  let staticCallKeys: [UInt64: EntryPoint]
  /// What the BPF JIT does; nil if it does not refer to the sequence.
  let jit: CompilerPlan?
  /// X86_FEATURE_FRED; nil if the kernel does not know it.
  let fredFeature: Int?

  /// - Throws: if the image lacks what no boot path can do without, or there is no memory.
  public init(
    _ kernel: KernelImage, functions: SequenceFunctions, table: AlternativesTable, sites: [Site],
    entryPoints: [EntryPoint], staticCallKeys: [UInt64: EntryPoint] = [:]
  ) throws(MachineError) {
    let image = try BootImage(kernel)
    self.image = image
    allSites = sites
    self.entryPoints = entryPoints
    self.staticCallKeys = staticCallKeys
    jit = CompilerPlan(kernel, table: table, sites: sites)
    fredFeature = Capabilities.feature(named: "fred", in: kernel)
    self.sites = SitePlan(
      kernel, functions: functions, table: table, sites: sites,
      moduleArea: image.pristine.map.modules)
    capabilities = try Capabilities.located(in: image)
  }

  var plan: BootPlan { image.plan }

  /// The functions that are called on every path, in order.
  public var chain: [String] { plan.chain.map(\.name) }

  /// What was left out of the usual chain, and why.
  public var narrowed: [String] {
    plan.narrowed + sites.unreachable + [jit?.narrowed].compactMap(\.self)
  }

  /// What the machine does in place of the kernel, with reasons.
  public var stubs: [Substitution] { plan.stubs.map(\.substitution) }

  /// How the place of the feature bits is known.
  public var capabilitiesFrom: String? { capabilities?.basis }
}
