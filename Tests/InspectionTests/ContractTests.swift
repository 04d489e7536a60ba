import BootMachine
import Inspection
import Mitigation
import Testing

@Suite("Contracts")
struct ContractTests {
  let catalog: MatrixCatalog
  let kvm: BootEnvironment
  let besideHyperV: BootEnvironment
  let processor: Processor

  init() throws {
    catalog = try MatrixCatalog.standard()
    kvm = try #require(catalog.environment(id: "kvm"))
    besideHyperV = try #require(catalog.environment(id: "kvm-beside-hyperv"))
    processor = try #require(catalog.processors.processor(id: "ice-lake-sp"))
  }

  func guest(_ environment: BootEnvironment) throws -> Processor {
    try environment.apply(to: processor, catalog: catalog.processors)
  }

  @Test("what a contract states, it reads back")
  func roundTrip() throws {
    #expect(Set(catalog.contracts.map(\.id)).count == catalog.contracts.count)
    for contract in catalog.contracts {
      for environment in [kvm, besideHyperV] {
        let guest = try guest(environment)
        for statement in contract.statements {
          #expect(contract.allows(statement, on: guest, in: environment))
          let told = contract.state(statement, on: guest, in: environment)
          #expect(
            contract.statement(to: told, in: environment) == statement,
            "\(contract.id) \(statement)")
        }
      }
    }
  }

  @Test("silence changes no leaf and no register")
  func silence() throws {
    for contract in catalog.contracts {
      let guest = try guest(kvm)
      let told = contract.state(.silent, on: guest, in: kvm)
      #expect(told.cpuid == guest.cpuid)
      #expect(told.msrs == guest.msrs)
    }
  }

  @Test("the bit is beside the base where the signature was found")
  func base() throws {
    let contract = try #require(catalog.contract(id: "kvm-hint"))
    let told = contract.state(.longRequired, on: try guest(besideHyperV), in: besideHyperV)
    #expect(told.cpuid[0x4000_0101, 0]?.edx == 1 << 2)
    #expect(told.cpuid[0x4000_0001, 0]?.edx == 0)
  }

  @Test("under another signature it says nothing")
  func otherSignature() throws {
    let contract = try #require(catalog.contract(id: "kvm-hint"))
    let hyperV = try #require(catalog.environment(id: "hyper-v"))
    let guest = try guest(hyperV)
    #expect(!contract.allows(.shortAdequate, on: guest, in: hyperV))
    #expect(contract.state(.shortAdequate, on: guest, in: hyperV) == guest)
    #expect(contract.statement(to: guest, in: hyperV) == .silent)
  }

  @Test("long-required wins over short-adequate")
  func both() throws {
    let contract = try #require(catalog.contract(id: "kvm-hint"))
    var told = try guest(kvm)
    told.cpuid.set(leaf: 0x4000_0001, registers: CPUIDRegisters(edx: 0b110))
    #expect(contract.statement(to: told, in: kvm) == .longRequired)
  }

  @Test("short-adequate is not reported beside BHI_CTRL")
  func besideBHIControl() throws {
    let contract = try #require(catalog.contract(id: "kvm-hint"))
    let new = try #require(catalog.processors.processor(id: "sapphire-rapids"))
    #expect(!contract.allows(.shortAdequate, on: new, in: kvm))
    #expect(contract.allows(.longRequired, on: new, in: kvm))
  }

  @Test("a virtual register counts only where it is enumerated")
  func enumeration() throws {
    let contract = try #require(catalog.contract(id: "virtual-msr"))
    var told = contract.state(.shortAdequate, on: try guest(kvm), in: kvm)
    #expect(told.msr(0x5000_0000) == 1)
    #expect((told.msr(0x10A) ?? 0) >> 63 == 1)
    told.msrs[0x5000_0000] = 0
    #expect(contract.statement(to: told, in: kvm) == .silent)
  }

  @Test("a bit that a register does not have is refused")
  func badBit() {
    let text = """
      {"contracts": [{"id": "a", "title": "", "signature": "KVMKVMKVM", "offset": "0x1",
        "register": "edx", "short_adequate": 32}]}
      """
    #expect(throws: DataError.self) {
      try MatrixCatalog.standard(overrides: [
        DataFile(kind: .contracts, path: "my.json", bytes: Array(text.utf8))
      ])
    }
  }
}
