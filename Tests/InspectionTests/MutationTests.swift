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
    #expect(report.unexplained.count < report.mutants.count / 4)
  }
}
