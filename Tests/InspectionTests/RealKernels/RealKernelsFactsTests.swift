import Alternatives
import BootMachine
import Inspection
import KernelImage
import Mitigation
import Testing

/// What is recorded of exact builds, and what must hold for every kernel of a distribution.
@Suite("RealKernels: facts", .enabled(if: !RealKernels.paths.isEmpty, RealKernels.howTo))
struct RealKernelsFactsTests {
  @Test("what is recorded of this build is found in it", arguments: RealKernels.paths)
  func recorded(_ path: String) throws {
    let artefact = try RealKernels.artefact(path)
    let kernel = try KernelImage(artefact)
    guard let facts = try KernelFacts.of(kernel) else { return }
    #expect(kernel.identity.release == facts.release)
    let expected = facts.expected
    let modules = try artefact.modules.map { member throws(ImageError) in
      try KernelModule(member)
    }
    let analysis = try StaticAnalysis(kernel, modules: modules)
    #expect(analysis.table.layout?.stride == expected.altInstrSize)
    if let layers = artefact.kernel?.layers, layers.contains("bzImage") {
      #expect(layers.last == expected.payload)
    }
    let variants = try SequenceMeasurement.variants(of: analysis, in: kernel)
    let sequence = try #require(analysis.sequence(variants: variants))
    #expect(sequence.shape == expected.shape)
    #expect(sequence.symbol == expected.sequenceSymbol)
    #expect(
      Set(expected.variants)
        == Set(
          variants.map {
            KernelFacts.Variant(
              outer: $0.outer, inner: $0.inner, class: $0.sequenceClass, barrier: $0.barrier,
              takenBranches: $0.takenBranches)
          }))
    var sites: [String: Int] = [:]
    for site in analysis.sites where site.kind == .alternative {
      guard let entryPoint = site.entryPoint, let feature = site.feature else { continue }
      sites[entryPoint.rawValue] = feature.number
    }
    let vmexit = sites.removeValue(forKey: EntryPoint.vmexit.rawValue)
    #expect(sites == expected.sites)
    if !modules.isEmpty { #expect(vmexit == expected.vmexitModuleFeature) }
    let findings = analysis.findings + CountFindings.findings(for: variants, of: analysis.functions)
    #expect(Set(findings.map(\.id.text)) == Set(expected.staticFindings))
  }

  @Test("every path of the default matrix is determined", arguments: RealKernels.paths)
  func determined(_ path: String) throws {
    let report = try RealKernels.report(
      on: try RealKernels.artefact(path), wantsTrace: RealKernels.isThorough)
    #expect(report.error == nil)
    #expect(report.paths.count >= 150)
    for path in report.paths {
      let outcome = path.outcome
      #expect(outcome.undeterminedBecause == nil, "\(path.path.id)")
      #expect(outcome.sysfs?.isEmpty == false, "\(path.path.id)")
      #expect(outcome.evidence.disagreements.isEmpty, "\(path.path.id)")
      #expect(outcome.evidence.narrowed.allSatisfy { $0 == BootProgram.compilerNotRun })
      #expect(outcome.trace?.warnings.isEmpty != false, "\(path.path.id)")
    }
    // What no build of a distribution has: broken tables, patching too early, code that was left
    // out, paths that were not run to the end.
    let impossible: Set<RuleID> = [.malformedTable, .forcedTooLate, .undetermined, .codeNotRun]
    #expect(report.findings.filter { impossible.contains($0.id) }.map(\.message) == [])
    if report.sequence?.shape == .absent {
      #expect(report.findings.contains { $0.id == .noSequence })
      let mechanisms = report.paths.flatMap { $0.entryPoints.values }.map(\.mechanism)
      #expect(mechanisms.allSatisfy { $0 != .sequence && $0 != .ibhf })
      #expect(report.paths.allSatisfy { $0.outcome.sysfs?.contains("BHI") == false })
    } else {
      let sequences = report.paths.flatMap { $0.entryPoints.values }.map(\.sequence)
      #expect(sequences.contains { $0 == .short || $0 == .long })
      // Where spectre_v2 does not affect the CPU (Zhaoxin), its line is these two words.
      let lines = Set(report.paths.compactMap(\.outcome.sysfs))
      #expect(lines.filter { !$0.contains("BHI: ") }.isSubset(of: ["Not affected"]))
    }
  }
}
