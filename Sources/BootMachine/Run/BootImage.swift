internal import KernelImage
internal import Mitigation

/// The memory of an image ready to boot, with what a machine must know of it.
final class BootImage: Sendable {
  let kernel: KernelImage
  let plan: BootPlan
  let pristine: PristineMemory
  /// Addresses whose change makes translated code stale.
  let code: [Range<UInt64>]
  /// The modules that are loaded behind the kernel; nil if none was asked for.
  let modules: ModuleSet?

  /// - Parameter host: what is needed to run KVM as well; nil: nothing but boot paths is run.
  /// - Throws: if the image lacks what no boot path can do without, or there is no memory.
  init(_ kernel: KernelImage, host: HostParts? = nil) throws(MachineError) {
    guard kernel.is64Bit else { throw MachineError("only 64-bit kernels can be run") }
    var substitutions = try Substitutions.builtIn()
    if let host { substitutions.stubs += host.substitutions.stubs }
    var plan = try BootPlan(kernel, substitutions: substitutions)
    let image = try Self.span(of: kernel)
    let modules = try host.flatMap { (host) throws(MachineError) -> ModuleSet? in
      guard !host.modules.isEmpty else { return nil }
      return try ModuleSet(
        host.modules, for: kernel, from: image.upperBound, perCPUBase: plan.perCPUBase)
    }
    if let modules {
      if let layout = kernel.layouts.layout(of: "exception_table_entry") {
        try modules.verify(entrySize: layout.size)
      }
      plan.add(modules, of: kernel)
    }
    // One area with the image, so that what watches its code watches theirs.
    let span = image.lowerBound..<(modules?.addresses.upperBound ?? image.upperBound)
    let map = AddressMap(
      imageStart: span.lowerBound, imageSize: Int(span.upperBound - span.lowerBound),
      hostsGuests: host != nil)
    self.kernel = kernel
    self.modules = modules
    self.plan = plan
    pristine = try PristineMemory(map: map) { [plan] (arena) throws(MachineError) in
      try Self.fill(arena, kernel, plan, modules)
      try host?.substitutions.place(in: arena, kernel, plan)
    }
    let sections = kernel.sections.filter { $0.isExecutable && $0.isLoaded }
    code =
      (sections.isEmpty ? [span] : sections.map(\.addresses))
      + (modules?.modules.flatMap(\.code) ?? [])
  }

  /// An address as people read it.
  func describe(_ address: UInt64) -> String {
    modules?.describe(address) ?? kernel.describe(address)
  }

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
    _ arena: borrowing PristineMemory.Writer, _ kernel: KernelImage, _ plan: BootPlan,
    _ modules: ModuleSet?
  ) throws(MachineError) {
    for segment in kernel.segments {
      guard segment.fileSize > 0 else { continue }
      guard let bytes = kernel.bytes(at: segment.address, count: segment.fileSize) else {
        throw MachineError("a segment at \(hexadecimal(segment.address)) cannot be read")
      }
      try arena.place(bytes, at: segment.address == 0 ? plan.perCPUBase : segment.address)
    }
    for module in modules?.modules ?? [] {
      for piece in module.pieces { try arena.place(piece.bytes, at: piece.address) }
    }
    for stub in plan.stubs { try arena.place(Code.returning(stub.returns), at: stub.address) }
    for address in plan.printk + plan.warningPrinters {
      try arena.place(Code.returnZero, at: address)
    }
    if let address = plan.staticCallUpdate { try arena.place(Code.returnZero, at: address) }
    for site in plan.msrSites {
      try arena.place(site.length == 2 ? Code.nop2 : Code.nop3, at: site.address)
    }
    // start_kernel() calls jump_label_init() before early parameters are parsed.
    if let address = plan.staticKeysReady { try arena.place([1], at: address) }
    try arena.place(Array(repeating: Code.halt, count: 16), at: arena.map.stop.guest)
    try arena.place(Code.descriptors, at: arena.map.descriptors.guest)
  }
}

/// Code and tables that the machine brings along.
private enum Code {
  /// xor %eax,%eax; ret
  static let returnZero: [UInt8] = [0x31, 0xc0, 0xc3]
  static func returning(_ value: Int32) -> [UInt8] {
    guard value != 0 else { return returnZero }
    // mov $value,%eax; ret
    return [0xb8] + withUnsafeBytes(of: value.littleEndian) { Array($0) } + [0xc3]
  }
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
