import BootMachine
import Mitigation
import Testing

@testable import Inspection

@Suite("Facts about a path")
struct PathFactsTests {
  let catalog: MatrixCatalog

  init() throws { catalog = try MatrixCatalog.standard() }

  private func facts(
    _ cpu: String, _ environment: String, _ statement: Statement = .silent, line: String = "",
    specCtrl: UInt64? = nil
  ) throws -> PathFacts {
    let matrix = try Matrix.standard(
      catalog,
      filter: MatrixFilter(
        processors: [cpu], environments: [environment], statements: [statement],
        literalCommandLines: [line]))
    let row = try #require(matrix.rows.first)
    return PathFacts(row, Outcome(sysfs: nil, evidence: Evidence(specCtrl: specCtrl)))
  }

  @Test("come from the profile, with its source, and from the list of old models")
  func processor() throws {
    let old = try facts("ice-lake-sp", "bare-metal")
    #expect(old.affected == true && old.affectedSource != nil)
    #expect(old.beforeAlderLake && !old.isGuest && !old.showsBHIControl)
    let new = try facts("sapphire-rapids", "bare-metal")
    #expect(!new.beforeAlderLake && new.showsBHIControl)
    #expect(try facts("alder-lake-early-microcode", "bare-metal").beforeAlderLake == false)
    #expect(try facts("haswell", "bare-metal").affected == false)
    #expect(try facts("skylake-sp-ibrs", "kvm").affected == true)
    #expect(try facts("zen3", "kvm").affected == false)
  }

  @Test("tell a guest, an unaware one and a confidential one apart")
  func environment() throws {
    let guest = try facts("ice-lake-sp", "kvm", .shortAdequate)
    #expect(guest.isKnownGuest && guest.statement == .shortAdequate && !guest.isConfidential)
    #expect(!guest.isNestedHypervisor)
    let unaware = try facts("skylake-sp-ibrs", "kvm-unaware")
    #expect(unaware.isUnawareGuest && !unaware.isKnownGuest)
    // Judged by what it can know: a Skylake without enhanced IBRS.
    #expect(unaware.affected == false)
    #expect(try facts("sapphire-rapids", "kvm-tdx").isConfidential)
  }

  @Test("say what the kernel did with SPEC_CTRL")
  func registers() throws {
    let left = try facts("sapphire-rapids", "bare-metal", specCtrl: 1)
    #expect(left.rrsba == .active && !left.hasHardwareControl)
    let disabled = try facts("sapphire-rapids", "bare-metal", specCtrl: 0x441)
    #expect(disabled.rrsba == .disabled && disabled.hasHardwareControl)
    #expect(try facts("sapphire-rapids", "kvm-no-rrsba", specCtrl: 1).rrsba == .notSeen)
  }

  @Test("name what the user switched off, and nothing that the build did")
  func commandLine() throws {
    let off = try facts("ice-lake-sp", "bare-metal", line: "spectre_bhi=vmexit quiet")
    #expect(off.switchedOff == [.userToKernel] && off.userSpeaksOfIt)
    let plain = try facts("ice-lake-sp", "bare-metal", line: "quiet")
    #expect(plain.switchedOff == [] && !plain.userSpeaksOfIt)
  }

  @Test("whether BHI affects an Intel guest does not hang on a register that is hidden")
  func unknownRegister() throws {
    var processor = try #require(catalog.processors.processor(id: "ice-lake-sp"))
    processor.msrs[0x10A] = nil
    #expect(catalog.processors.assessed(processor, asGuest: true).affected == true)
    #expect(catalog.processors.assessed(processor).affected == nil)
  }
}
