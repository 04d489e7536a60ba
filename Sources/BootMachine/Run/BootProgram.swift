public import Alternatives
public import KernelImage
public import Mitigation

/// An image made ready to boot in the emulator: what all machines of it share.
public final class BootProgram: Sendable {
  public let kernel: KernelImage
  let plan: BootPlan
  let pristine: PristineMemory
  let sites: SitePlan
  /// Where the feature bits are; nil if that is not known.
  let capabilities: Capabilities?
  /// All sites that were found, also those that are not patched here.
  let allSites: [Site]
  /// The entry points that the image has, as far as its files tell.
  let entryPoints: [EntryPoint]
  /// The keys of static calls that may run the sequence, by address.
  let staticCallKeys: [UInt64: EntryPoint]
  /// X86_FEATURE_FRED; nil if the kernel does not know it.
  let fredFeature: Int?
  /// Addresses whose change makes translated code stale.
  let code: [Range<UInt64>]

  /// - Throws: if the image lacks what no boot path can do without, or there is no memory.
  public init(
    _ kernel: KernelImage, functions: SequenceFunctions, table: AlternativesTable, sites: [Site],
    entryPoints: [EntryPoint], staticCallKeys: [UInt64: EntryPoint] = [:]
  ) throws(MachineError) {
    guard kernel.is64Bit else { throw MachineError("only 64-bit kernels can be run") }
    let plan = try BootPlan(kernel, substitutions: try Substitutions.builtIn())
    self.kernel = kernel
    self.plan = plan
    allSites = sites
    self.entryPoints = entryPoints
    self.staticCallKeys = staticCallKeys
    fredFeature = Capabilities.feature(named: "fred", in: kernel)
    let span = try Self.span(of: kernel)
    let map = AddressMap(
      imageStart: span.lowerBound, imageSize: Int(span.upperBound - span.lowerBound))
    pristine = try PristineMemory(map: map) { (arena) throws(MachineError) in
      try Self.fill(arena, map, kernel, plan)
    }
    self.sites = SitePlan(
      kernel, functions: functions, table: table, sites: sites, moduleArea: map.modules)
    capabilities = kernel.layouts.layout(of: "cpuinfo_x86")?.fields["x86_capability"].flatMap {
      Capabilities(
        kernel, offset: $0,
        words: kernel.layouts.arrayCount(of: "cpuinfo_x86", field: "x86_capability"))
    }
    let sections = kernel.sections.filter { $0.isExecutable && $0.isLoaded }
    code = sections.isEmpty ? [span] : sections.map(\.addresses)
  }

  /// The functions that are called on every path, in order.
  public var chain: [String] { plan.chain.map(\.name) }

  /// What was left out of the usual chain, and why.
  public var narrowed: [String] { plan.narrowed }

  /// What the machine does in place of the kernel, with reasons.
  public var stubs: [Substitution] { plan.stubs.map(\.substitution) }

  /// The addresses that the image's segments take, without a per-CPU segment at 0.
  private static func span(of kernel: KernelImage) throws(MachineError) -> Range<UInt64> {
    let page = UInt64(AddressMap.pageSize)
    var low = UInt64.max
    var high: UInt64 = 0
    for segment in kernel.segments where segment.address != 0 {
      low = min(low, segment.address)
      high = max(high, segment.addresses.upperBound)
    }
    guard low < high, high < UInt64.max - page else {
      throw MachineError("the image has no segment to load")
    }
    low &= ~(page - 1)
    high = (high + page - 1) & ~(page - 1)
    // KERNEL_IMAGE_SIZE (arch/x86/include/asm/page_64_types.h).
    guard high - low <= 1 << 30 else {
      throw MachineError("the image's segments span more than 1 GiB")
    }
    return low..<high
  }

  private static func fill(
    _ arena: UnsafeMutableRawBufferPointer, _ map: AddressMap, _ kernel: KernelImage,
    _ plan: BootPlan
  ) throws(MachineError) {
    func place(_ bytes: UnsafeRawBufferPointer, at address: UInt64) throws(MachineError) {
      guard let offset = map.offset(of: address, count: bytes.count) else {
        throw MachineError("\(hexadecimal(address)) lies outside the image")
      }
      UnsafeMutableRawBufferPointer(rebasing: arena[offset..<offset + bytes.count])
        .copyMemory(from: bytes)
    }
    func place(_ bytes: [UInt8], at address: UInt64) throws(MachineError) {
      guard let offset = map.offset(of: address, count: bytes.count) else {
        throw MachineError("\(hexadecimal(address)) lies outside the image")
      }
      UnsafeMutableRawBufferPointer(rebasing: arena[offset..<offset + bytes.count])
        .copyBytes(from: bytes)
    }
    for segment in kernel.segments {
      guard segment.fileSize > 0 else { continue }
      guard let bytes = kernel.bytes(at: segment.address, count: segment.fileSize) else {
        throw MachineError("a segment at \(hexadecimal(segment.address)) cannot be read")
      }
      try place(bytes, at: segment.address == 0 ? plan.perCPUBase : segment.address)
    }
    for stub in plan.stubs { try place(Code.returnZero, at: stub.address) }
    for address in plan.printk + plan.warningPrinters { try place(Code.returnZero, at: address) }
    if let address = plan.staticCallUpdate { try place(Code.returnZero, at: address) }
    for site in plan.msrSites {
      try place(site.length == 2 ? Code.nop2 : Code.nop3, at: site.address)
    }
    // start_kernel() calls jump_label_init() before early parameters are parsed.
    if let address = plan.staticKeysReady { try place([1], at: address) }
    try place(Array(repeating: Code.halt, count: 16), at: map.stop.guest)
    try place(Code.descriptors, at: map.descriptors.guest)
  }
}

/// Code and tables that the machine brings along.
private enum Code {
  /// xor %eax,%eax; ret
  static let returnZero: [UInt8] = [0x31, 0xc0, 0xc3]
  static let nop2: [UInt8] = [0x66, 0x90]
  static let nop3: [UInt8] = [0x0f, 0x1f, 0x00]
  static let halt: UInt8 = 0xf4
  /// A null descriptor, an unused one, 64-bit code (selector 0x10) and data (0x18): the kernel's
  /// __KERNEL_CS and __KERNEL_DS (arch/x86/include/asm/segment.h); IRET in sync_core() reads them.
  static let descriptors: [UInt8] = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0xff, 0xff, 0, 0, 0, 0x9b, 0xaf, 0, 0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0,
  ]
}
