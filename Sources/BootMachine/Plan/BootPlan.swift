internal import KernelImage
internal import Mitigation

/// What the machine must know of an image to run its boot code: addresses, tables, substitutions.
struct BootPlan: Sendable {
  struct Call: Sendable {
    var name: String
    var address: UInt64
    /// Where to stop; nil: when the function returns.
    var until: UInt64?
  }

  struct Stub: Sendable {
    var address: UInt64
    var returns: Int32
    var substitution: Substitution
  }

  /// The functions to call, in the order of start_kernel() (init/main.c).
  let chain: [Call]
  /// What could not be done in the usual way.
  let narrowed: [String]
  let stubs: [Stub]
  let printk: [UInt64]
  let warningPrinters: [UInt64]
  let panics: [Call]
  let staticCallUpdate: UInt64?
  private(set) var msrSites: [MSRSite]
  private(set) var bugs: BugTable
  let skipped: [Substitutions.SkippedInstruction]
  let architecturalMSRs: [Substitutions.ArchitecturalMSR]
  let ports: [Substitutions.Port]

  let commandLine: UInt64
  /// The size of `boot_command_line`, in bytes (COMMAND_LINE_SIZE).
  let commandLineCapacity: Int
  let staticKeysReady: UInt64?
  /// The base of GS: where per-CPU data of the boot CPU lies before areas are set up.
  let perCPUBase: UInt64
  let applyAlternatives: UInt64?
  let applyReturns: UInt64?
  /// The kernel's own #GP handling: fixup_exception() (arch/x86/mm/extable.c).
  let fixupException: UInt64?
  /// The cpu_show_* function of each file in /sys/devices/system/cpu/vulnerabilities.
  let vulnerabilities: [Call]
  let spectreV2: Call?

  /// - Throws: if the image lacks what no boot path can do without.
  init(_ kernel: KernelImage, substitutions: Substitutions) throws(MachineError) {
    let symbols = kernel.symbols
    func required(_ name: String) throws(MachineError) -> UInt64 {
      guard let address = symbols.address(of: name) else {
        throw MachineError("the image has no symbol \(name)")
      }
      return address
    }
    var narrowed: [String] = []
    chain = try Self.chain(in: kernel, narrowed: &narrowed)
    self.narrowed = narrowed
    stubs = substitutions.stubs.flatMap { stub in
      symbols.addresses(of: stub.symbol).map {
        Stub(
          address: $0, returns: stub.returns ?? 0,
          substitution: Substitution(symbol: stub.symbol, reason: stub.reason))
      }
    }
    printk = substitutions.printk.flatMap { symbols.addresses(of: $0.symbol) }
    guard !printk.isEmpty else { throw MachineError("the image has no symbol _printk") }
    warningPrinters = substitutions.warnings.flatMap { symbols.addresses(of: $0.symbol) }
    panics = substitutions.panics.compactMap { panic in
      symbols.address(of: panic.symbol).map { Call(name: panic.symbol, address: $0, until: nil) }
    }
    staticCallUpdate =
      substitutions.staticCalls.lazy
      .compactMap { symbols.address(of: $0.symbol) }.first
    msrSites = MSRSite.all(in: kernel)
    bugs = BugTable(kernel)
    skipped = substitutions.skippedInstructions
    architecturalMSRs = substitutions.msrs
    ports = substitutions.ports
    commandLine = try required("boot_command_line")
    commandLineCapacity =
      symbols.end(of: commandLine).map { [commandLine] in Int(min($0 &- commandLine, 2048)) } ?? 256
    staticKeysReady = symbols.address(of: "static_key_initialized")
    let hasZeroBasedPerCPU = kernel.segments.contains { $0.address == 0 }
    perCPUBase = hasZeroBasedPerCPU ? try required("__per_cpu_load") : 0
    applyAlternatives = symbols.address(of: "apply_alternatives")
    applyReturns = symbols.address(of: "apply_returns")
    fixupException = symbols.address(of: "fixup_exception")
    vulnerabilities = Self.vulnerabilities(in: kernel)
    spectreV2 = vulnerabilities.first { $0.name == "spectre_v2" }
  }

  /// Adds what must be known of modules.
  mutating func add(_ modules: ModuleSet, of kernel: KernelImage) {
    for module in modules.modules {
      if let range = module.exceptions,
        let layout = kernel.layouts.layout(of: "exception_table_entry"), layout.size > 8,
        let table = modules.bytes(at: range.lowerBound, count: range.count)
      {
        msrSites += table.withUnsafeBytes { bytes in
          MSRSite.all(bytes, at: range.lowerBound, entrySize: layout.size) { address in
            modules.bytes(at: address, count: 3)
          }
        }
      }
      if let range = module.bugs,
        let table = modules.bytes(at: range.lowerBound, count: range.count)
      {
        table.withUnsafeBytes { bytes in
          bugs.add(bytes, at: range.lowerBound, kernel.layouts.layout(of: "bug_entry"))
        }
      }
    }
    msrSites.sort { $0.address < $1.address }
  }

  /// The chain, as far as the image has it.
  private static func chain(
    in kernel: KernelImage, narrowed: inout [String]
  ) throws(MachineError) -> [Call] {
    var chain: [Call] = []
    // x86_64_start_kernel() calls it ahead of start_kernel(): it sets what cc_platform_has() says.
    // Kernels that cannot be a TDX guest do not have it.
    if let address = kernel.symbols.address(of: "tdx_early_init") {
      chain.append(Call(name: "tdx_early_init", address: address))
    }
    // Smaller functions (identify_boot_cpu, bhi_select_mitigation) are inlined in many builds.
    for name in ["early_cpu_init", "parse_early_param", "init_hypervisor_platform"] {
      if let address = kernel.symbols.address(of: name) {
        chain.append(Call(name: name, address: address))
      } else {
        narrowed.append("\(name) has no symbol and was not run")
      }
    }
    // start_kernel() calls check_bugs() up to 6.4 and arch_cpu_finalize_init() since.
    let last = ["arch_cpu_finalize_init", "check_bugs"].lazy.compactMap { name in
      kernel.symbols.address(of: name).map { (name, $0) }
    }.first
    guard let (name, address) = last else {
      throw MachineError("the image has neither arch_cpu_finalize_init nor check_bugs")
    }
    guard let end = kernel.symbols.address(of: "alternative_instructions") else {
      throw MachineError("the image has no symbol alternative_instructions")
    }
    guard chain.contains(where: { $0.name == "early_cpu_init" }) else {
      throw MachineError("the image has no symbol early_cpu_init")
    }
    chain.append(Call(name: name, address: address, until: end))
    return chain
  }
}

extension BootPlan.Call {
  init(name: String, address: UInt64) { self.init(name: name, address: address, until: nil) }
}
