import Alternatives
import BootMachine
import Foundation
import Inspection
import KernelImage
import Mitigation
import Testing

/// Holds what the tool finds in each sample against what the manifest says of it.
@Suite("Samples")
struct SampleTests {
  let manifest: SampleManifest

  init() throws { manifest = try BuiltSamples.manifest.get() }

  @Test("the manifest names everything that is built, and is consistent in itself")
  func consistent() throws {
    let makefile = try String(
      contentsOf: SampleManifest.folder.appending(path: "Makefile"), encoding: .utf8)
    let variants = try #require(
      makefile.firstMatch(of: /(?s)\nVARIANTS := (.*?)\n\n/)
    ).output.1.split(whereSeparator: { $0 == " " || $0 == "\n" || $0 == "\\" })
    #expect(Set(variants.map(String.init)) == Set(manifest.samples.map(\.name)))
    let hosts = try #require(
      makefile.firstMatch(of: /(?s)\nHOSTS := (.*?)\n\n/)
    ).output.1.split(whereSeparator: { $0 == " " || $0 == "\n" || $0 == "\\" })
    #expect(Set(hosts.map(String.init)) == Set(manifest.hosts.map(\.name)))
    for sample in manifest.samples {
      let expected = sample.expected
      for variant in expected.variants {
        #expect(SequenceClass(outer: variant.outer, inner: variant.inner) == variant.class)
      }
      if let contract = expected.contract {
        #expect(manifest.contracts.contains { $0.id == contract }, "\(contract)")
      }
      for id in expected.staticFindings + expected.pathFindings {
        #expect(Rule.all.contains { $0.id.text == id }, "\(id)")
      }
      if let paths = expected.paths { #expect(try !manifest.rows(of: paths).isEmpty) }
    }
  }

  @Test(
    "sequence, sites and static findings",
    .enabled(if: BuiltSamples.areThere, "to build them: make -C vmlinux-samples"),
    arguments: BuiltSamples.all)
  func analysis(_ sample: SampleManifest.Sample) throws {
    let expected = sample.expected
    let kernel = try manifest.kernel(of: sample)
    let analysis = try StaticAnalysis(kernel)
    let variants = try SequenceMeasurement.variants(of: analysis, in: kernel)
    let sequence = try #require(analysis.sequence(variants: variants))

    #expect(sequence.shape == expected.shape)
    #expect(sequence.symbol == expected.sequenceSymbol)
    for variant in expected.variants {
      let measured = variants.first { $0.outer == variant.outer && $0.inner == variant.inner }
      #expect(measured?.sequenceClass == variant.class, "\(variants)")
      #expect(measured?.barrier == variant.barrier)
      #expect(measured?.takenBranches == variant.takenBranches)
    }
    let counts = Set(variants.map { [$0.outer, $0.inner] })
    #expect(counts == Set(expected.variants.map { [$0.outer, $0.inner] }))

    let inside = analysis.sites.filter { $0.kind == .inside }
    #expect(inside.compactMap(\.feature?.number) == expected.alternativesInside)
    let sites = analysis.sites.filter { $0.kind == .alternative }
    #expect(
      Set(sites.map { "\($0.entryPoint?.rawValue ?? "?") \($0.feature?.number ?? -1)" })
        == Set(expected.sites.map { "\($0.entryPoint.rawValue) \($0.feature)" }))
    #expect(sites.allSatisfy { $0.barrier == expected.siteBarrier })
    if let missing = expected.missing { #expect(analysis.survey.missing == missing) }

    let found =
      analysis.findings + CountFindings.findings(for: variants, of: analysis.functions)
    #expect(Set(found.map(\.id.text)) == Set(expected.staticFindings), "\(found.map(\.message))")
  }

  @Test(
    "every boot path of its table",
    .enabled(if: BuiltSamples.areThere, "to build them: make -C vmlinux-samples"),
    arguments: BuiltSamples.all.filter { $0.expected.paths != nil })
  func paths(_ sample: SampleManifest.Sample) throws {
    let kernel = try manifest.kernel(of: sample)
    let analysis = try StaticAnalysis(kernel)
    let program = try BootProgram(
      kernel, functions: analysis.functions, table: analysis.table, sites: analysis.sites,
      entryPoints: sample.expected.sites.map(\.entryPoint))
    var machine = try BootMachine(program)
    for row in try manifest.rows(of: sample.expected.paths ?? "") {
      let result = try machine.run(
        BootRequest(
          processor: try manifest.processor(for: row, contract: sample.expected.contract),
          commandLine: row.commandLine))
      let path = row.key.joined(separator: "/")
      #expect(result.outcome.undeterminedBecause == nil, "\(path)")
      #expect(result.outcome.sysfs == row.sysfs, "\(path)")
      for entryPoint in sample.expected.sites.map(\.entryPoint) {
        let outcome = result.entryPoints[entryPoint]
        let choice = row.choice(at: entryPoint)
        #expect(outcome?.mechanism == choice.mechanism, "\(path) \(entryPoint)")
        #expect(outcome?.sequence == choice.sequence, "\(path) \(entryPoint)")
      }
    }
  }

  @Test(
    "what is compiled in is as true as what is built",
    .enabled(if: BuiltSamples.areThere, "to build them: make -C vmlinux-samples"),
    arguments: [(Sample.short, "short"), (Sample.long, "long-variables")])
  func embedded(_ embedded: Sample, _ name: String) throws {
    let sample = try #require(manifest.samples.first { $0.name == name })
    let kernels = [try KernelImage(embedded.artefact), try manifest.kernel(of: sample)]
    let analyses = try kernels.map { try StaticAnalysis($0) }
    func facts(_ index: Int) throws -> [String] {
      let (kernel, analysis) = (kernels[index], analyses[index])
      let variants = try SequenceMeasurement.variants(of: analysis, in: kernel)
      let sequence = try #require(analysis.sequence(variants: variants))
      return [sequence.symbol ?? "", sequence.shape.rawValue]
        + variants.map {
          "\($0.outer ?? 0) \($0.inner ?? 0) \($0.takenBranches ?? 0) \($0.selectedBy)"
        }
        + sequence.returns.map { "return at \($0.lastByteInLine)" }
        + analysis.sites.map {
          "\($0.entryPoint?.rawValue ?? "") \($0.feature?.description ?? "") \($0.replacementText ?? "")"
            .replacing(/0x[0-9a-f]+/, with: "")
        }
        + analysis.findings.map(\.id.text)
    }
    #expect(try facts(0) == facts(1))
  }
}
