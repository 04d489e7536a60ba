import Foundation
import Testing

@testable import KernelImage

/// The image files that BHBCHECK_KERNELS names.
private let paths = (ProcessInfo.processInfo.environment["BHBCHECK_KERNELS"] ?? "")
  .split(separator: ":").map(String.init)

private func opened(_ path: String) throws -> KernelImage {
  try KernelImage(try #require(try Artefact.open(path: path).first { $0.kernel != nil }))
}

/// What must hold for any kernel of a distribution, whatever its version.
@Suite(
  "RealKernels: symbols, layouts, identity",
  .enabled(
    if: !paths.isEmpty,
    "BHBCHECK_KERNELS names no kernel images; `make test` fetches two and sets it"))
struct RealKernelsTests {
  @Test(arguments: paths) func `names lead to what they name`(path: String) throws {
    let image = try opened(path)
    try #require([.symtab, .kallsyms].contains(image.symbols.source), "\(image.notes)")
    #expect(image.symbols.count > 50_000)
    let banner = try #require(image.symbols.address(of: "linux_banner"))
    #expect(image.cString(at: banner, limit: 1024)?.hasPrefix("Linux version ") == true)
    let chain = [
      "early_cpu_init", "parse_early_param", "apply_alternatives", "cpu_show_spectre_v2",
    ]
    for name in chain {
      let address = try #require(image.symbols.address(of: name))
      #expect(image.symbols.nearest(to: address)?.offset == 0)
      #expect(image.section(containing: address)?.isExecutable == true)
      #expect(try #require(image.symbols.end(of: address)) > address)
    }
  }

  @Test(arguments: paths) func `every exported address agrees`(path: String) throws {
    let image = try opened(path)
    let space = AddressSpace(
      contents: try #require(image.artefact.kernel).contents, segments: image.segments)
    let sections = ["__ksymtab", "__ksymtab_gpl"].compactMap(image.section(named:))
    let exports = try #require(ExportTable.recognise(sections.map(\.addresses), in: space))
    var compared = 0
    for export in exports.sample(.max) {
      let name = String(decoding: try #require(exports.nameText(export)), as: UTF8.self)
      let addresses = image.symbols.addresses(of: name)
      if addresses.isEmpty { continue }
      #expect(addresses.contains(export.address), "\(name)")
      compared += 1
    }
    #expect(compared > 5000)
    #expect(compared * 100 > exports.count * 99)
  }

  @Test(arguments: paths) func `recovered layouts are those of BTF`(path: String) throws {
    let image = try opened(path)
    try #require(image.section(named: ".BTF") != nil)
    let recovered = LayoutRecovery(
      tables: ImageTables(
        space: AddressSpace(
          contents: try #require(image.artefact.kernel).contents, segments: image.segments),
        sections: image.sections, symbols: image.symbols)
    ).layouts()
    for name in ["alt_instr", "bug_entry", "exception_table_entry", "obs_kernel_param"] {
      let described = try #require(image.layouts.layout(of: name))
      #expect(recovered[name]?.size == described.size)
      #expect(recovered[name]?.fields == described.fields)
    }
    let processor = try #require(image.layouts.layout(of: "cpuinfo_x86"))
    #expect(processor.fields["x86_capability"] != nil)
    #expect(image.layouts.arrayCount(of: "cpuinfo_x86", field: "x86_capability") ?? 0 > 20)
    #expect(image.layouts.layout(of: "pt_regs")?.size == 21 * 8)
  }

  @Test(arguments: paths) func `an image says what it is`(path: String) throws {
    let identity = try opened(path).identity
    let release = try #require(identity.release)
    #expect(identity.banner?.hasPrefix("Linux version \(release) ") == true)
    #expect(identity.buildID?.count == 40)
    #expect(identity.builtInCommandLine != nil)
  }

  /// A stripped image and the -dbg build of the same kernel, where both are given.
  @Test func `builds of one kernel agree on every name that both have`() throws {
    let images = try paths.map(opened)
    for image in images {
      for other in images
      where other.identity.buildID == image.identity.buildID && other.symbols.source == .symtab
        && image.symbols.source != .symtab
      {
        var shared = 0
        for (name, address) in image.symbols.names(withPrefix: "") {
          let addresses = other.symbols.addresses(of: name)
          guard !addresses.isEmpty else { continue }
          shared += 1
          #expect(addresses.contains(address), "\(name)")
        }
        #expect(shared * 100 > image.symbols.count * 95)
      }
    }
  }
}
