import BootMachine
import Mitigation
import Testing

@testable import Inspection

struct HostKindTests {
  let catalog: MatrixCatalog

  init() throws { catalog = try MatrixCatalog.standard() }

  @Test("the hosts of the table: every Intel CPU, and every reason to promise or to force")
  func rows() throws {
    let contract = try #require(catalog.contract(id: "kvm-hint"))
    let rows = try catalog.hostRows(contract)
    let ids = rows.map { "\($0.cpu)/\($0.kind.id)/\($0.statement.rawValue)" }
    #expect(Set(ids).count == ids.count)
    let plain = rows.filter { $0.kind.id == "bare-metal" }
    #expect(
      plain.map(\.cpu)
        == catalog.processors.processors.filter { $0.vendor == .intel }.map(\.id))
    #expect(plain.allSatisfy { !$0.facts.isGuest && !$0.facts.offersControl })
    #expect(plain.contains { $0.facts.isKnownOld } && plain.contains { !$0.facts.isKnownOld })
    let able = rows.filter { $0.facts.offersControl && $0.facts.showsBHIControl }
    #expect(able.contains { !$0.facts.isGuest } && able.contains { $0.facts.isGuest })
    #expect(rows.contains { $0.facts.offersControl && !$0.facts.showsBHIControl })
    #expect(rows.contains { $0.facts.bhiNo })
    for statement in Statement.allCases {
      #expect(rows.contains { $0.facts.isGuest && $0.statement == statement })
    }
    // What a guest sees of its model is an invention of the VMM.
    #expect(rows.allSatisfy { !($0.facts.isGuest && $0.facts.isKnownOld) })
    #expect(rows.allSatisfy { !$0.withoutControl.virtualizesSpecCtrl })
  }

  @Test("a contract whose hosts cannot be asked is refused, and the message names one that can")
  func contracts() throws {
    let contract = try #require(catalog.contract(id: "virtual-msr"))
    let error = #expect(throws: DataError.self) {
      try HostInspection(catalog, contract: contract)
    }
    #expect(error?.message.contains("kvm-hint") == true)
    #expect(try HostInspection(catalog).contract.id == "kvm-hint")
  }

  @Test(
    "hosts of the user's: another kind, and one that refers to what is not there",
    arguments: [
      (
        #"{"id": "mine", "title": "m", "extends": "control", "applies": {"cpus": ["sapphire-rapids"]}, "operations": []}"#,
        true
      ),
      (#"{"id": "mine", "title": "m", "extends": "nothing", "operations": []}"#, false),
      (#"{"id": "mine", "title": "m", "environment": "nowhere", "operations": []}"#, false),
    ])
  func overrides(_ kind: String, _ isRight: Bool) throws {
    let file = DataFile(
      kind: .hosts, path: "hosts.json", bytes: Array("{\"hosts\": [\(kind)]}".utf8))
    let catalog = try MatrixCatalog.standard(overrides: [file])
    let contract = try #require(catalog.contract(id: "kvm-hint"))
    guard isRight else {
      #expect(throws: DataError.self) { try catalog.hostRows(contract) }
      return
    }
    let mine = try catalog.hostRows(contract).filter { $0.kind.id == "mine" }
    #expect(mine.map(\.cpu) == ["sapphire-rapids"])
    #expect(mine.allSatisfy { $0.facts.offersControl })
  }
}
