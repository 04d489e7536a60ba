import BootMachine
import Foundation
import KernelImage
import Mitigation
import Testing

@testable import Inspection

/// Holds mutants of the right samples against the boot paths that must notice them.
@Suite("Mutants")
struct MutationTests {
  static let right = BuiltSamples.all.filter {
    ["right", "right-two-bits", "long"].contains($0.expected.paths ?? "")
      && $0.expected.staticFindings.isEmpty && $0.name != "other-bit"
  }

  let manifest: SampleManifest

  init() throws { manifest = try BuiltSamples.manifest.get() }

  private func mutation(of sample: SampleManifest.Sample) throws -> Mutation {
    let contract = manifest.contracts.first { $0.id == sample.expected.contract }
    return Mutation(
      matrix: try Matrix.standard(try MatrixCatalog.standard(), contract: contract), jobs: 2)
  }

  @Test(
    "every mutant of a right sample is noticed, but those that cannot be",
    .enabled(if: BuiltSamples.areThere, "to build them: make -C vmlinux-samples"),
    arguments: right)
  func score(_ sample: SampleManifest.Sample) throws {
    let report = try mutation(of: sample).report(
      on: MutationSubject(path: sample.file, kernel: try manifest.kernel(of: sample)),
      tool: Report.Tool(name: "test", version: "0"))
    #expect(report.mutants.count > 100)
    print(MutationText_debug(report))
  }
}

func MutationText_debug(_ r: MutationReport) -> String {
  "\(r.image) \(r.mutants.count) killed \(r.count(.killed)) broken \(r.count(.broken)) "
    + "unexplained \(r.unexplained.count)\n"
    + r.mutants.filter { $0.status == .survived }.map {
      "  \($0.reason?.rawValue ?? "-") \($0.mutant.id) \($0.mutant.symbol ?? "") \($0.mutant.breaks) | \($0.mutant.originalText) -> \($0.mutant.changedText) | \($0.detail ?? "")"
    }.joined(separator: "\n")
}
