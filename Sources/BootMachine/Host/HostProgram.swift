public import KernelImage
public import Mitigation

/// A kernel with its KVM, made ready to boot and to be asked in the emulator.
public final class HostProgram: Sendable {
  public var kernel: KernelImage { image.kernel }
  let image: BootImage
  /// What starts KVM: kvm.ko and then kvm-intel.ko, or the init call of what is built in.
  let starts: [BootPlan.Call]
  /// The ioctls of /dev/kvm: kvm_dev_ioctl(file, number, argument).
  let ioctl: BootPlan.Call
  /// kvm_arch_init_vm(kvm, type).
  let createMachine: BootPlan.Call?
  /// kvm_vm_ioctl_check_extension(kvm, extension), for a VM.
  let checkMachine: BootPlan.Call?
  /// kvm_vm_ioctl_enable_cap(kvm, capability).
  let enableCapability: BootPlan.Call?
  /// parse_args(doing, args, params, num, min_level, max_level, arg, unknown).
  let parseArguments: BootPlan.Call?
  /// The parameters of KVM's modules.
  let parameters: [Parameters]
  /// Where KVM keeps the VMX controls that it uses (`vmcs_config`); nil if that is not known.
  let controls: Range<UInt64>?
  /// What stands in for functions of the kernel while KVM runs.
  public let substitutions: [Substitution]
  /// The modules that KVM was taken from; empty if it is built in.
  public let modules: [String]

  /// - Parameter modules: kvm.ko and kvm-intel.ko, in any order; others are left out.
  /// - Throws: if there is no KVM, or the image lacks what it needs to run.
  public init(_ kernel: KernelImage, modules: [KernelModule]) throws(MachineError) {
    let substitutions = try HostSubstitutions.builtIn()
    let parts = try Self.parts(modules, kernel, substitutions.starts)
    let used = [parts.common, parts.vendor].compactMap(\.self)
    image = try BootImage(kernel, host: HostParts(substitutions: substitutions, modules: used))
    self.modules = used.map(\.name)
    self.substitutions = substitutions.applied(to: kernel)
    let set = image.modules
    func address(_ name: String) -> UInt64? {
      set?.address(of: name) ?? kernel.symbols.address(of: name)
    }
    func call(_ name: String) -> BootPlan.Call? {
      address(name).map { BootPlan.Call(name: name, address: $0) }
    }
    guard let ioctl = call("kvm_dev_ioctl") else {
      throw MachineError("KVM has no symbol kvm_dev_ioctl")
    }
    self.ioctl = ioctl
    createMachine = call("kvm_arch_init_vm")
    checkMachine = call("kvm_vm_ioctl_check_extension")
    enableCapability = call("kvm_vm_ioctl_enable_cap")
    parseArguments = kernel.symbols.address(of: "parse_args").map {
      BootPlan.Call(name: "parse_args", address: $0)
    }
    parameters = Self.parameters(set, kernel)
    func start(_ module: KernelModule?, _ names: [String]) -> BootPlan.Call? {
      guard let module, let set, let index = used.firstIndex(where: { $0 === module }) else {
        return names.lazy.compactMap { name in
          kernel.symbols.address(of: name).map { BootPlan.Call(name: name, address: $0) }
        }.first
      }
      return set.address(of: "init_module", inModule: index, of: used).map {
        BootPlan.Call(name: "\(module.name): init_module", address: $0)
      }
    }
    let vendor = start(parts.vendor, substitutions.starts.vendor)
    starts = [start(parts.common, substitutions.starts.common), vendor].compactMap(\.self)
    guard vendor != nil else { throw MachineError("nothing that starts KVM was found") }
    controls = Self.range(of: "vmcs_config", set, used, kernel)
  }

  /// A table of `struct kernel_param` (include/linux/moduleparam.h).
  struct Parameters: Sendable {
    static let size: UInt64 = 40
    /// The module as command lines name it.
    var module: String
    /// Whether the table is the kernel's own, whose names begin with those of the modules.
    var isBuiltIn: Bool
    var table: Range<UInt64>
  }

  /// The tables of KVM's modules: their own, or that of the kernel.
  private static func parameters(
    _ set: ModuleSet?, _ kernel: KernelImage
  ) -> [Parameters] {
    ["kvm", "kvm_intel"].compactMap { name in
      if let set, let module = set.modules.first(where: { $0.name == name }) {
        return module.parameters.map { Parameters(module: name, isBuiltIn: false, table: $0) }
      }
      return kernel.table(from: "__start___param", to: "__stop___param", orSection: "__param").map {
        Parameters(module: name, isBuiltIn: true, table: $0)
      }
    }
  }

  /// The functions that answer.
  public var asked: [Location] {
    [ioctl, createMachine, checkMachine, enableCapability].compactMap(\.self)
      .map { location($0.address, symbol: $0.name) }
  }

  /// The code that may enter guests: that of the modules, or of all the kernel where KVM is built in.
  private var vendorCode: [Range<UInt64>] {
    image.modules?.modules.flatMap(\.code) ?? image.code
  }

  private func location(_ address: UInt64, symbol: String) -> Location {
    Location(
      image: image.modules?.name(at: address) ?? "vmlinux", address: Address(address),
      symbol: symbol)
  }

  /// The places of KVM's code at which an instruction moves one of `constants` into a register:
  /// mov $constant,%reg, from which VMWRITE takes its field.
  public func constants(_ constants: [UInt32]) -> [Location] {
    let bytes = image.pristine.bytes
    var found: [Location] = []
    for range in vendorCode {
      guard let start = image.pristine.map.offset(of: range.lowerBound, count: range.count) else {
        continue
      }
      for constant in constants {
        found += places(of: constant, in: bytes, start..<start + range.count).map { offset in
          let address = range.lowerBound + UInt64(offset - start)
          return location(address, symbol: image.describe(address))
        }
      }
    }
    return found.sorted { $0.address < $1.address }
  }

  private func places(
    of constant: UInt32, in bytes: UnsafeRawBufferPointer, _ range: Range<Int>
  ) -> [Int] {
    var found: [Int] = []
    // B8+r id (Intel SDM vol. 2B, MOV).
    var offset = range.lowerBound
    while offset + 5 <= range.upperBound {
      if bytes[offset] & 0xf8 == 0xb8,
        bytes.loadUnaligned(fromByteOffset: offset + 1, as: UInt32.self) == constant
      {
        found.append(offset)
      }
      offset += 1
    }
    return found
  }

  /// The modules of what is not built in: kvm.ko and kvm-intel.ko.
  private static func parts(
    _ modules: [KernelModule], _ kernel: KernelImage, _ starts: HostSubstitutions.Starts
  ) throws(MachineError) -> (common: KernelModule?, vendor: KernelModule?) {
    func module(_ name: String) throws(MachineError) -> KernelModule {
      // What the user gave comes after what lay beside the kernel.
      guard let found = modules.last(where: { $0.name.replacing("-", with: "_") == name }) else {
        throw MachineError(
          "KVM is not built in, and no module \(name.replacing("_", with: "-")) was given")
      }
      return found
    }
    let hasVendor = starts.vendor.contains { kernel.symbols.address(of: $0) != nil }
    let vendor = hasVendor ? nil : try module("kvm_intel")
    let hasCommon = kernel.symbols.address(of: "kvm_dev_ioctl") != nil
    return (hasCommon ? nil : try module("kvm"), vendor)
  }

  private static func range(
    of name: String, _ set: ModuleSet?, _ modules: [KernelModule], _ kernel: KernelImage
  ) -> Range<UInt64>? {
    // Larger than any version of struct vmcs_config.
    let limit: UInt64 = 256
    if let set {
      for (index, module) in modules.enumerated() {
        guard let symbol = module.symbols.first(where: { $0.name == name && $0.section != nil }),
          let start = set.address(of: name, inModule: index, of: modules)
        else { continue }
        return start..<start &+ min(symbol.size, limit)
      }
    }
    guard let start = kernel.symbols.address(of: name), let end = kernel.symbols.end(of: start),
      end > start
    else { return nil }
    return start..<start &+ min(end - start, limit)
  }
}
