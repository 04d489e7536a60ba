import BootMachine
import Mitigation
import Testing

@testable import Inspection

@Suite("What QEMU is asked to show") struct BootScenarioTests {
  private func scenario(_ cpu: String) throws -> BootScenario {
    let matrix = try Matrix.standard(MatrixCatalog.standard()).withEdges()
    let row = try #require(matrix.rows.first { $0.path.cpu == cpu })
    return BootScenario(row, commandLine: "")
  }

  /// QEMU has more leaves than such a processor: what stands in them must not count.
  @Test func leavesThatAProcessorLacks() throws {
    let cut = try scenario("ice-lake-sp+last-leaf-1")
    #expect(cut.model.highestLeaf == 1)
    #expect(!cut.leaves.contains { $0.leaf == 7 })
    let whole = try scenario("ice-lake-sp")
    #expect(whole.model.highestLeaf == nil)
    #expect(whole.leaves.contains { $0.leaf == 7 })
  }

  @Test func edgesAreThereOnce() throws {
    let matrix = try Matrix.standard(MatrixCatalog.standard())
    let once = matrix.withEdges()
    #expect(once.rows.count > matrix.rows.count)
    #expect(once.withEdges().rows.map(\.path.id) == once.rows.map(\.path.id))
    #expect(Set(once.rows.map(\.path.id)).count == once.rows.count)
  }
}
