@testable import Alternatives
@testable import KernelImage
import Inspection
import PatchTests
import Settings

/// A reader of bytes that nobody vouches for.
///
/// Each takes any bytes whatever: to say what is wrong with them is right, to end the process, to
/// read outside of them or not to come back is not.
enum FuzzTarget: String, CaseIterable {
  /// Everything that `Artefact.open` takes apart: packages, archives, compressions, boot images.
  case containers
  /// The setup header of a boot image, its payload, and unified kernel images.
  case bzimage
  /// An ELF file as a kernel and as a module, with the analysis of what is in it.
  case elf
  /// A module, read with a sample's vmlinux that it belongs to.
  case module
  case kallsyms
  case btf
  case alternatives
  case systemMap = "system-map"
  case patch
  case settings

  /// Longer inputs find nothing more and take longer, in bytes.
  var longest: Int {
    switch self {
    case .elf: 1 << 16
    case .containers, .bzimage, .kallsyms, .module: 1 << 15
    default: 1 << 13
    }
  }

  func run(_ bytes: UnsafeRawBufferPointer) {
    switch self {
    case .patch: _ = try? PatchReader.patches(Self.text(bytes), source: "input")
    case .settings: _ = try? GateSettings(Self.text(bytes), file: "input")
    case .alternatives: Self.alternatives(bytes)
    default:
      guard let copy = try? ImageBytes.copying(bytes) else { return }
      run(Artefact.Contents(copy))
    }
  }

  private func run(_ contents: Artefact.Contents) {
    switch self {
    case .containers:
      for artefact in (try? Artefact.artefacts(in: contents, path: "input", layers: [])) ?? [] {
        _ = try? KernelImage(artefact)
      }
    case .bzimage:
      let raw = contents.bytes.raw
      _ = try? BootSector(raw)
      _ = try? UnifiedImage(raw)
      _ = try? UnwrappedElf(contents)
    case .elf: Self.elf(contents)
    case .module: Self.module(contents)
    case .kallsyms: Self.kallsyms(contents)
    case .btf: Self.types(contents.bytes.raw)
    case .systemMap: _ = SystemMap.symbols(contents)?.symbols(named: "linux_banner")
    case .alternatives, .patch, .settings: break
    }
  }

  private static func text(_ bytes: UnsafeRawBufferPointer) -> String {
    String(decoding: bytes, as: UTF8.self)
  }

  private static func elf(_ contents: Artefact.Contents) {
    let member = Artefact.Member(name: "input", contents: contents, layers: [])
    let module = try? KernelModule(member)
    for section in module?.sections ?? [] { _ = try? module?.relocations(for: section) }
    guard let kernel = try? KernelImage(Artefact(path: "input", kernel: member)) else { return }
    _ = kernel.identity.release
    _ = kernel.identity.option("CONFIG_KVM")
    _ = kernel.layouts.layout(of: "cpuinfo_x86")
    for name in ["_text", "bhi_mitigation"] {
      if let address = kernel.symbols.address(of: name) { _ = kernel.symbols.nearest(to: address) }
    }
    _ = try? StaticAnalysis(kernel, modules: module.map { [$0] } ?? [])
  }

  private static let kernel = try? KernelImage(Sample.long.artefact)

  private static func module(_ contents: Artefact.Contents) {
    let member = Artefact.Member(name: "kvm-intel.ko", contents: contents, layers: [])
    guard let kernel, let module = try? KernelModule(member) else { return }
    for section in module.sections { _ = try? module.relocations(for: section) }
    _ = try? StaticAnalysis(kernel, modules: [module])
  }

  private static func kallsyms(_ contents: Artefact.Contents) {
    guard let tokens = KallsymsTokens.find(in: Blob(contents)), let names = KallsymsNames(tokens)
    else { return }
    let tables = KallsymsAddresses(
      region: contents.bytes.raw, regionAddress: 0xffff_ffff_8200_0000,
      countStart: names.countStart, indexEnd: tokens.indexEnd, count: names.count)
    for layout in KallsymsLayout.allCases {
      guard let addresses = tables.read(layout) else { continue }
      let table = SymbolTable(.kallsyms, SymbolStore(names: names, addresses: addresses))
      _ = table.address(of: "clear_bhb_loop")
      _ = table.names(withPrefix: "cpu_")
      if let last = addresses.last { _ = (table.nearest(to: last), table.end(of: last)) }
    }
  }

  private static func types(_ bytes: UnsafeRawBufferPointer) {
    guard let types = TypeInformation(bytes) else { return }
    for name in ["cpuinfo_x86", "alt_instr", "cpu"] {
      for member in types.structure(name)?.members ?? [] { _ = types.arrayCount(member.type) }
    }
    for name in ["mode", "spectre_v2_mitigation"] { _ = types.enumeration(name) }
  }

  private static func alternatives(_ bytes: UnsafeRawBufferPointer) {
    let start: UInt64 = 0xffff_ffff_8300_0000
    let code: Range<UInt64> = 0xffff_ffff_8100_0000..<0xffff_ffff_8400_0000
    _ = AlternativesTable(
      bytes, range: start..<start + UInt64(bytes.count),
      bounds: CodeBounds(sites: [code], replacements: [code]))
  }
}
