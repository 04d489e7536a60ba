public import Alternatives
public import KernelImage
public import Mitigation
internal import Synchronization

/// An image made ready to boot in the emulator, with the sites whose fate is wanted: what all its
/// machines share.
public final class BootProgram: Sendable {
  public var kernel: KernelImage { image.kernel }
  let image: BootImage
  let sites: SitePlan
  /// Where the feature bits are; nil if that is not known.
  let capabilities: Capabilities?
  /// All sites that were found, also those that are not patched here.
  public let allSites: [Site]
  /// The entry points that the image has, as far as its files tell.
  let entryPoints: [EntryPoint]
  /// The keys of static calls that may run the sequence, by address.
  let staticCallKeys: [UInt64: EntryPoint]
  /// What the BPF JIT asks before it emits the sequence; nil if that is not known.
  let jitGuards: JITGuards?
  /// X86_FEATURE_FRED; nil if the kernel does not know it.
  let fredFeature: Int?
  private let ran = Mutex<[UInt64: UInt32]>([:])

  /// - Throws: if the image lacks what no boot path can do without, or there is no memory.
  public init(
    _ kernel: KernelImage, functions: SequenceFunctions, table: AlternativesTable, sites: [Site],
    entryPoints: [EntryPoint], staticCallKeys: [UInt64: EntryPoint] = [:],
    jitGuards: JITGuards? = nil
  ) throws(MachineError) {
    let image = try BootImage(kernel)
    self.image = image
    allSites = sites
    self.entryPoints = entryPoints
    self.staticCallKeys = staticCallKeys
    self.jitGuards = jitGuards
    fredFeature = Capabilities.feature(named: "fred", in: kernel)
    self.sites = SitePlan(
      kernel, functions: functions, table: table, sites: sites,
      moduleArea: image.pristine.map.modules)
    capabilities = try Capabilities.located(in: image)
  }

  /// What ran on any path so far, of machines that are done.
  public var coverage: Coverage {
    ran.withLock { blocks in Coverage(blocks.map { BlockRun(address: $0.key, size: $0.value) }) }
  }

  /// Adds what a machine ran.
  func add(_ blocks: [BlockRun]) {
    ran.withLock { ran in
      for block in blocks { ran[block.address] = max(ran[block.address] ?? 0, block.size) }
    }
  }

  var plan: BootPlan { image.plan }

  /// Whether the kernel can enter through FRED.
  public var knowsFRED: Bool { fredFeature != nil }

  /// The address of `boot_cpu_data.x86_capability`; nil if that is not known.
  public var capabilitiesAddress: UInt64? { capabilities?.address }

  /// The last function of the chain, and the one at whose entry it stops.
  public var decision: (function: UInt64, stop: UInt64)? {
    plan.chain.last.flatMap { last in last.until.map { (last.address, $0) } }
  }

  /// The functions that are called on every path, in order.
  public var chain: [String] { plan.chain.map(\.name) }

  /// What was left out of the usual chain, and why.
  public var narrowed: [String] {
    plan.narrowed + sites.unreachable + (jitGuards == nil ? [] : [Self.compilerNotRun])
  }

  /// Why the outcome of the bpf entry point is decoded, not executed, where that is so.
  public static let compilerNotRun =
    "what the BPF JIT emits was read from the features that it asks for, not executed"

  /// What the machine does in place of the kernel, with reasons.
  public var stubs: [Substitution] { plan.stubs.map(\.substitution) }

  /// How the place of the feature bits is known.
  public var capabilitiesFrom: String? { capabilities?.basis }
}

// MARK: - What mutants must know

extension BootProgram {
  /// Whether the machine has put code of its own in place of anything in `range`, or steps in there.
  public func substitutes(in range: Range<UInt64>) -> Bool {
    // A stub is at most mov $imm, %eax; ret.
    let stubSize: UInt64 = 6
    let stubs =
      plan.stubs.map(\.address) + plan.printk + plan.warningPrinters
      + (plan.staticCallUpdate.map { [$0] } ?? []) + plan.panics.map(\.address)
    return stubs.contains { range.overlaps($0..<$0 &+ stubSize) }
      || plan.msrSites.contains { range.overlaps($0.address..<$0.address &+ UInt64($0.length)) }
  }

  /// The addresses of the static calls' keys that may run the sequence.
  public var decidedCalls: Set<UInt64> { Set(staticCallKeys.keys) }

  /// The functions that print: the log is made of what they are handed.
  public var printers: [UInt64] { plan.printk + plan.warningPrinters }

  /// The bits of memory that are the features sites hang on and the bug, by the address of their
  /// byte; empty if unknown.
  public var decidedBits: [UInt64: UInt8] {
    guard let capabilities else { return [:] }
    var found: [UInt64: UInt8] = [:]
    let numbers =
      allSites.compactMap { $0.feature?.number }
      + [capabilities.affectedBit, fredFeature].compactMap(\.self)
    for number in numbers where number / 32 < capabilities.words {
      found[capabilities.address &+ UInt64(number / 8), default: 0] |= 1 << UInt8(number % 8)
    }
    return found
  }

  /// The code that the machine runs at an address: the image's, or what it put in its place, but
  /// for MSR accesses, which it steps in at. Empty where there is none.
  public func code(at address: UInt64, count: Int) -> [UInt8] {
    if !plan.msrSites.contains(where: { $0.address == address }),
      let offset = image.pristine.map.offset(of: address, count: count)
    {
      return Array(image.pristine.bytes[offset..<offset + count])
    }
    return kernel.bytes(at: address, count: count).map { Array($0) } ?? []
  }

  /// The alternatives entries that are handed to the kernel's patching code.
  public var patchedEntries: [UInt64] { sites.inside + sites.sites.flatMap(\.entries) }
}
