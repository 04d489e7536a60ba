import Mitigation
import Testing

@testable import BootMachine

@Suite("SPEC_CTRL") struct SpecCtrlTests {
  private func bank(_ cpu: String) throws -> MSRBank {
    let processor = try #require(try ProcessorCatalog.standard().processor(id: cpu))
    return MSRBank(architectural: [], processor: processor)
  }

  /// A kernel that sets it unasked must not pass for one that has it.
  @Test func theControlIsThereWithBHIControlAlone() throws {
    let without = try bank("alder-lake-early-microcode")
    #expect(without.isBeyond(MSRIndex.specCtrl, 0x400))
    #expect(!without.isBeyond(MSRIndex.specCtrl, 1))
    #expect(try !bank("alder-lake").isBeyond(MSRIndex.specCtrl, 0x401))
  }
}
