import BootMachine
import Inspection
import Mitigation
import Testing

@Suite("The matrix of boot paths")
struct MatrixTests {
  let catalog: MatrixCatalog

  init() throws { catalog = try MatrixCatalog.standard() }

  @Test("the default one is large, in a stable order, without doubles")
  func defaultMatrix() throws {
    let matrix = try Matrix.standard(catalog)
    let ids = matrix.rows.map(\.path.id)
    #expect(ids.count >= 150)
    #expect(Set(ids).count == ids.count)
    #expect(try Matrix.standard(catalog).rows.map(\.path.id) == ids)
    print("default matrix: \(ids.count) paths")
  }

  @Test("every processor is in it on bare metal, with an empty command line")
  func bareMetal() throws {
    let ids = Set(try Matrix.standard(catalog).rows.map(\.path.id))
    for processor in catalog.processors.processors {
      #expect(ids.contains("\(processor.id)/bare-metal/silent/default"))
    }
  }

  @Test("every environment that can be run, every command line and statement is in it")
  func everything() throws {
    let rows = try Matrix.standard(catalog).rows
    let supported = catalog.environments.filter { $0.unsupported == nil }.map(\.id)
    #expect(Set(rows.map(\.path.environment)) == Set(supported))
    #expect(Set(rows.map(\.path.commandLineName)) == Set(catalog.commandLines.map(\.name)))
    #expect(Set(rows.map(\.path.statement)) == Set(Statement.allCases))
  }

  @Test("the processors it singles out exist")
  func keyProcessors() {
    for id in Matrix.keyProcessors + Matrix.statementProcessors + Matrix.commandLineProcessors {
      #expect(catalog.processors.processor(id: id) != nil, "\(id)")
    }
  }

  @Test(
    "nobody states anything on bare metal, in unaware guests, or short-adequate beside BHI_CTRL")
  func statementsWhereTheyApply() throws {
    for row in try Matrix.standard(catalog).rows where row.path.statement != .silent {
      #expect(row.environment.isGuest && row.environment.knowsItIsGuest, "\(row.path.id)")
      if row.path.statement == .shortAdequate {
        #expect(!row.processor.showsBHIControl, "\(row.path.id)")
      }
    }
  }

  @Test("a filter asks for the product of what it names")
  func filter() throws {
    let filter = MatrixFilter(
      processors: ["ice-lake-sp", "sapphire-rapids"], environments: ["kvm", "kvm-no-bhi-ctrl"],
      statements: [.silent, .longRequired], commandLineNames: ["default", "bhi-off"])
    let ids = try Matrix.standard(catalog, filter: filter).rows.map(\.path.id)
    // Ice Lake has no BHI_CTRL to hide, so that environment is not for it.
    #expect(ids.count == 2 * 2 * 1 + 2 * 2 * 2)
    #expect(ids.contains("sapphire-rapids/kvm-no-bhi-ctrl/long-required/bhi-off"))
  }

  @Test("a literal command line replaces the default list")
  func literalLine() throws {
    let filter = MatrixFilter(
      processors: ["zen3"], literalCommandLines: ["  quiet   spectre_bhi=off ", "", "nospectre_v2"])
    let rows = try Matrix.standard(catalog, filter: filter).rows
    #expect(
      rows.map(\.path.commandLineName) == ["quiet spectre_bhi=off", "default", "nospectre-v2"])
    #expect(rows[0].commandLine.switchesOff == [.userToKernel, .guestToHost])
    #expect(rows[1].commandLine.switchesOff.isEmpty)
  }

  @Test("a filter that names something unknown is refused")
  func unknownNames() {
    for filter in [
      MatrixFilter(processors: ["none"]), MatrixFilter(environments: ["none"]),
      MatrixFilter(commandLineNames: ["none"]),
    ] {
      #expect(throws: DataError.self) { try Matrix.standard(catalog, filter: filter) }
    }
  }

  @Test("a dump and one command line make exactly one path")
  func dumped() throws {
    var dump = try #require(catalog.processors.processor(id: "ice-lake-sp"))
    dump.id = "my-dump"
    let matrix = Matrix.dumped(
      dump, catalog: catalog, commandLines: [catalog.commandLine(writtenAs: "")])
    #expect(matrix.rows.map(\.path.id) == ["my-dump/as-dumped/silent/default"])
    #expect(matrix.rows.first?.processor == dump)
  }

  @Test("what a command line switches off: the last word of an option counts")
  func switches() {
    func off(_ line: String) -> Set<AttackVector> {
      catalog.commandLine(writtenAs: line).switchesOff
    }
    let both: Set<AttackVector> = [.userToKernel, .guestToHost]
    #expect(off("quiet") == [])
    #expect(off("quiet mitigations=off") == both)
    #expect(off("spectre_bhi=off spectre_bhi=on quiet") == [])
    #expect(off("mitigations=off spectre_bhi=on quiet") == [])
    #expect(off("quiet mitigations=auto,no_user_kernel") == [.userToKernel])
    #expect(off("quiet mitigations=auto,nosmt,no_user_kernel,no_guest_host") == both)
    #expect(off("mitigations=auto,no_user_user") == [])
    #expect(off("nospectre_v2 quiet") == both)
  }

  @Test("where kernels differ, a line may switch off, and does not always")
  func maySwitchOff() {
    let line = catalog.commandLine(writtenAs: "quiet mitigations=off spectre_bhi=on")
    #expect(line.switchesOff == [])
    #expect(line.maySwitchOff == [.userToKernel, .guestToHost])
    #expect(catalog.commandLine(writtenAs: "spectre_bhi=on").maySwitchOff == [])
    #expect(line.namesMitigation)
    #expect(!catalog.commandLine(writtenAs: "quiet root=/dev/sda1 fred=off").namesMitigation)
    #expect(catalog.commandLine(writtenAs: "nospectre_v2").namesMitigation)
  }
}
