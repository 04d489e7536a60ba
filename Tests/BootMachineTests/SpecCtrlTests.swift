import Mitigation
import Testing

@testable import BootMachine

@Suite("SPEC_CTRL") struct SpecCtrlTests {
  private func bank(_ cpu: String) throws -> MSRBank {
    let processor = try #require(try ProcessorCatalog.standard().processor(id: cpu))
    var bank = MSRBank(architectural: [], processor: processor)
    bank.missing = .value(0)
    return bank
  }

  /// A kernel that sets it unasked must not pass for one that has it.
  @Test func theControlIsThereWithBHIControlAlone() throws {
    var without = try bank("alder-lake-early-microcode")
    let refused = without.write(MSRIndex.specCtrl, 0x400)
    let plain = without.write(MSRIndex.specCtrl, 1)
    var with = try bank("alder-lake")
    let taken = with.write(MSRIndex.specCtrl, 0x401)
    #expect(!refused && plain && taken)
  }
}
