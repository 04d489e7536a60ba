import Alternatives
import BootMachine
import KernelImage
import Mitigation
import Testing

@testable import Inspection

@Suite("Paths on one machine and on several")
struct PathRunnerTests {
  private func program(_ sample: Sample) throws -> BootProgram {
    let kernel = try KernelImage(sample.artefact)
    return try BootProgram(kernel, try StaticAnalysis(kernel))
  }

  private func outcomes(_ results: [BootResult]) -> [[EntryPoint: EntryPointOutcome]] {
    results.map(\.entryPoints)
  }

  @Test("two threads say what one says", arguments: Sample.allCases)
  func jobs(_ sample: Sample) throws {
    let program = try program(sample)
    let rows = try Matrix.standard(MatrixCatalog.standard()).rows
    let one = PathRunner(jobs: 1).results(rows, of: program)
    let two = PathRunner(jobs: 2).results(rows, of: program)
    #expect(one == two)
    #expect(one.allSatisfy { $0.outcome.undeterminedBecause == nil })
  }

  @Test("a path does not depend on those before it", arguments: Sample.allCases)
  func order(_ sample: Sample) throws {
    let program = try program(sample)
    let rows = try Matrix.standard(MatrixCatalog.standard()).rows
    let forward = PathRunner().results(rows, of: program)
    let backward = PathRunner().results(rows.reversed(), of: program)
    #expect(forward == backward.reversed())
    // The comparison means something only if paths differ.
    #expect(Set(outcomes(forward)).count > 2)
  }

  @Test("an environment whose start is not run is undetermined, with its reason")
  func unsupported() throws {
    let program = try program(.short)
    let filter = MatrixFilter(processors: ["ice-lake-sp"], environments: ["xen-pv"])
    let rows = try Matrix.standard(MatrixCatalog.standard(), filter: filter).rows
    let result = try #require(PathRunner().results(rows, of: program).first)
    #expect(result.outcome.undeterminedBecause?.contains("xen_start_kernel") == true)
    #expect(result.entryPoints.isEmpty)
  }

  @Test("a command line that does not fit makes its path undetermined")
  func longLine() throws {
    let program = try program(.short)
    let catalog = try MatrixCatalog.standard()
    let line = String(repeating: "x", count: 5000)
    let filter = MatrixFilter(processors: ["ice-lake-sp"], literalCommandLines: [line])
    let rows = try Matrix.standard(catalog, filter: filter).rows
    let result = try #require(PathRunner().results(rows, of: program).first)
    #expect(result.outcome.undeterminedBecause?.contains("5000 bytes") == true)
  }
}
