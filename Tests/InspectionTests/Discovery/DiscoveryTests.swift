import BootMachine
import Foundation
import KernelImage
import Mitigation
import Testing

@testable import Inspection

/// Holds the search for a hypervisor's bits against what the manifest says of the samples.
@Suite("Discovery")
struct DiscoveryTests {
  let manifest: SampleManifest
  let catalog: MatrixCatalog

  init() throws {
    manifest = try BuiltSamples.manifest.get()
    let contracts = SampleManifest.folder.appending(path: "contracts.json")
    catalog = try MatrixCatalog.standard(overrides: [
      DataFile(
        kind: .contracts, path: contracts.path(), bytes: Array(try Data(contentsOf: contracts)))
    ])
  }

  static let rules = ["BHB010", "BHB011", "BHB012", "BHB013", "BHB014", "BHB015"]

  private func report(
    on name: String, contract: String?, _ limits: Exploration.Limits = Exploration.Limits()
  ) throws -> ImageReport {
    let sample = try #require(manifest.samples.first { $0.name == name })
    let artefact = try #require(
      try Artefact.open(path: SampleManifest.folder.appending(path: sample.file).path()).first)
    let asked = contract.flatMap { catalog.contract(id: $0) }
    var discovery = Discovery(catalog, asked: asked)
    discovery.limits = limits
    let inspector = Inspector(
      matrix: try Matrix.standard(catalog, contract: asked), discovery: discovery)
    let report = inspector.report(on: artefact)
    #expect(report.error == nil)
    return report
  }

  private func ids(_ report: ImageReport) -> [String] {
    report.findings.map(\.id.text).filter(Self.rules.contains)
  }

  @Test(
    "a bit of a hypervisor that no contract names is found as well: groups of bits show it",
    .enabled(if: BuiltSamples.areThere, "to build them: make -C vmlinux-samples"),
    arguments: ["long-alternative", "two-bits"])
  func withoutContracts(_ name: String) throws {
    let sample = try #require(manifest.samples.first { $0.name == name })
    let id = try #require(sample.expected.contract)
    let contract = try #require(catalog.contract(id: id))
    let inspector = Inspector(
      matrix: try Matrix.standard(catalog, contract: contract),
      discovery: Discovery(contracts: [], knownBits: []))
    let artefact = try #require(
      try Artefact.open(path: SampleManifest.folder.appending(path: sample.file).path()).first)
    let bits = try #require(inspector.report(on: artefact).bits)
    #expect(
      Set(bits.map(\.bit))
        == Set([contract.shortAdequate, contract.longRequired].compactMap(\.self)))
    #expect(bits.allSatisfy { $0.contract == nil })
  }

  @Test(
    "the findings of each sample are those of the manifest, and its bits its contract's",
    .enabled(if: BuiltSamples.areThere, "to build them: make -C vmlinux-samples"),
    arguments: BuiltSamples.all.filter { $0.expected.paths != nil || $0.expected.contract != nil })
  func samples(_ sample: SampleManifest.Sample) throws {
    let report = try report(on: sample.name, contract: sample.expected.contract)
    let expected = sample.expected.pathFindings.filter(Self.rules.contains)
    #expect(ids(report) == expected, "\(report.findings.map(\.message))")

    let bits = try #require(report.bits)
    guard let id = sample.expected.contract, sample.name != "no-effect" else {
      #expect(bits.isEmpty)
      return
    }
    let contract = try #require(catalog.contract(id: id))
    let isInverted = sample.name == "inverted"
    // Where short-adequate wins, nothing shows that long-required is known.
    let hearsLong = sample.name != "short-wins"
    var meanings: [Int: ListenedBit.Meaning] = [
      contract.shortAdequate: isInverted ? .longRequired : .shortAdequate
    ]
    if let bit = contract.longRequired, hearsLong { meanings[bit] = .longRequired }
    #expect(
      Dictionary(bits.map { ($0.bit, $0.meaning) }, uniquingKeysWith: { first, _ in first })
        == meanings)
    for bit in bits {
      #expect(bit.contract == id)
      switch contract.place {
      case .cpuid(_, let offset, let register):
        #expect(bit.source == .cpuid)
        #expect(bit.leaf?.value == 0x4000_0000 + offset)
        #expect(bit.register?.rawValue == register.rawValue)
        #expect(bit.readAt?.hasPrefix("read_cpuid") == true)
      case .msr(let index, _):
        #expect(bit.source == .msr)
        #expect(bit.index?.value == index)
        #expect(bit.readAt?.hasPrefix("read_msr_safely") == true)
      }
    }
  }

  @Test(
    "nobody has to name the contract: it is found by the bits",
    .enabled(if: BuiltSamples.areThere, "to build them: make -C vmlinux-samples"),
    arguments: [
      ("long-variables", "sample-kvm-bit-30"), ("two-bits", "sample-kvm-two-bits"),
      ("other-bit", "sample-kvm-bit-28"), ("msr-contract", "virtual-msr"),
    ])
  func unasked(_ name: String, _ contract: String) throws {
    let report = try report(on: name, contract: nil)
    #expect(ids(report) == [])
    #expect(Set((report.bits ?? []).map(\.contract)) == [contract])
  }

  @Test(
    "where the search ends, the finding says how much was not searched",
    .enabled(if: BuiltSamples.areThere, "to build them: make -C vmlinux-samples"),
    arguments: [
      ("msr-contract", Exploration.Limits(depth: 2), "BHB011"),
      ("long-variables", Exploration.Limits(registers: 1), "BHB010"),
    ])
  func searchEnds(_ name: String, _ limits: Exploration.Limits, _ rule: String) throws {
    #expect(try ids(report(on: name, contract: nil)) == [])
    let finding = try #require(
      try report(on: name, contract: nil, limits).findings.first { $0.id.text == rule })
    #expect(
      finding.message.contains(/; not searched, for there is a limit: [1-9]\d* more registers?\.$/),
      "\(finding.message)")
  }

  @Test(
    "a build that listens to another bit than the contract asked for",
    .enabled(if: BuiltSamples.areThere, "to build them: make -C vmlinux-samples"))
  func otherBit() throws {
    let report = try report(on: "other-bit", contract: "sample-kvm-bit-30")
    #expect(ids(report) == ["BHB015"])
    #expect(report.bits?.map(\.contract) == ["sample-kvm-bit-28"])
  }

  @Test(
    "nothing is said of bits where nobody looked for them",
    .enabled(if: BuiltSamples.areThere, "to build them: make -C vmlinux-samples"))
  func notSearched() throws {
    let report = Inspector(matrix: try Matrix.standard(catalog))
      .report(on: Sample.short.artefact)
    #expect(report.bits == nil)
    #expect(report.otherInfluences == nil)
    #expect(ids(report) == [])
  }
}
