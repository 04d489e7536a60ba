internal import Foundation
internal import KernelImage
internal import Mitigation

/// What the machine does in place of the kernel while KVM starts and answers: data, with a reason
/// each.
///
/// The built-in list is Data/kvm.json.
struct HostSubstitutions: Sendable, Decodable {
  /// Functions that return at once.
  var stubs: [Substitutions.Named]
  /// Functions that hand out memory.
  var allocators: [Allocator]
  /// Functions that call another one, their second argument, with their third.
  var callers: [Substitutions.Named]
  /// The table of memory sections, by which kernels without CONFIG_SPARSEMEM_VMEMMAP tell which page
  /// a `struct page` is of.
  var memoryMap: Substitutions.Named
  var starts: Starts

  /// What KVM's modules call when they are loaded, by the names that it has where they are built in;
  /// the first that the image has counts.
  struct Starts: Sendable, Decodable {
    /// Of kvm.ko; older kernels have none.
    var common: [String]
    /// Of kvm-intel.ko.
    var vendor: [String]
  }

  enum CodingKeys: String, CodingKey {
    case stubs, allocators, callers, starts
    case memoryMap = "memory_map"
  }

  static func builtIn() throws(MachineError) -> HostSubstitutions {
    do {
      return try JSONDecoder().decode(
        HostSubstitutions.self, from: Data(PackageResources.kvm_json))
    } catch {
      throw MachineError("the built-in list of substitutions for KVM: \(error)")
    }
  }

  /// Puts the code of the helpers, and jumps to it, into a guest.
  func place(
    in arena: borrowing PristineMemory.Writer, _ kernel: KernelImage, _ plan: BootPlan
  ) throws(MachineError) {
    guard let areas = arena.map.host else { return }
    try arena.place(HelperCode.little(areas.pool.guest), at: areas.cursor)
    if let table = kernel.symbols.address(of: memoryMap.symbol) {
      // struct mem_section **mem_section, with CONFIG_SPARSEMEM_EXTREME: a root, whose first section
      // begins with where its first struct page would be (include/linux/mmzone.h).
      let root = areas.cursor - 128
      try arena.place(HelperCode.little(root), at: table)
      try arena.place(
        HelperCode.little(root + 8) + HelperCode.little(AddressMap.pageMap), at: root)
    }
    var next = areas.helpers.guest
    func help(_ targets: [UInt64], _ code: [UInt8]) throws(MachineError) {
      guard !targets.isEmpty else { return }
      guard next + UInt64(code.count) <= areas.cursor - 128 else {
        throw MachineError("the helpers' code does not fit into its area")
      }
      try arena.place(code, at: next)
      for target in targets { try arena.place(HelperCode.jump(to: next), at: target) }
      next += UInt64(code.count)
    }
    for allocator in allocators {
      guard
        let code = HelperCode.allocator(
          allocator, cursor: areas.cursor, perCPUBase: plan.perCPUBase)
      else {
        throw MachineError("\(allocator.symbol): it has no argument \(allocator.argument ?? 0)")
      }
      try help(kernel.symbols.addresses(of: allocator.symbol), code)
    }
    for caller in callers {
      try help(kernel.symbols.addresses(of: caller.symbol), HelperCode.callSecondArgument)
    }
    try help(plan.staticCallUpdate.map { [$0] } ?? [], HelperCode.staticCallUpdate)
  }

  /// All of it that applies to an image, for reports.
  func applied(to kernel: KernelImage) -> [Substitution] {
    let named = stubs + callers + [memoryMap]
    let found = named.filter { kernel.symbols.address(of: $0.symbol) != nil }
      .map { Substitution(symbol: $0.symbol, reason: $0.reason) }
    return found
      + allocators.filter { kernel.symbols.address(of: $0.symbol) != nil }
      .map { Substitution(symbol: $0.symbol, reason: $0.reason) }
  }
}

/// What an image needs besides the kernel for KVM to run.
struct HostParts: Sendable {
  var substitutions: HostSubstitutions
  /// KVM's modules in the order that they are loaded in; empty where KVM is built in.
  var modules: [KernelModule]
}
