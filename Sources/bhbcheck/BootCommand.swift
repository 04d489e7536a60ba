import ArgumentParser
import Foundation
import Inspection
import KernelImage
import Mitigation
import PatchTests
import RealBoots
import Reports
import Synchronization

struct BootCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "boot",
    abstract: "Confirms rows of the decision table by real boots under QEMU.",
    discussion: """
      Boots the image under qemu-system-x86_64, without KVM, once for each boot path; what QEMU's \
      emulation does not have (a hypervisor's leaves, BHI_CTRL, IA32_ARCH_CAPABILITIES) is supplied \
      through its GDB stub. Log, sysfs line, call sites and the bytes of the sequence have to be \
      what the decision table says of the same processor.

      Without options: one boot path for each outcome of the default matrix. --plan takes those of \
      a plan that `bhbcheck generate` wrote; --cpu, --hypervisor, --statement and --cmdline choose \
      rows; --all takes all.

      Exit status: 0 all as expected; 1 a boot went another way; 2 one did not come to its end; 69 \
      QEMU is not installed.
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable {
    case text, json, ktap, junit
  }

  @OptionGroup var image: OneImageInput

  @Option(help: ArgumentHelp("A plan of `bhbcheck generate`.", valueName: "file"))
  var plan: String?

  @OptionGroup var filter: FilterOptions

  @Flag(help: "Every boot path of the default matrix.")
  var all = false

  @Flag(help: "Stop when the kernel has patched itself: no sysfs line, but three times as fast.")
  var fast = false

  @OptionGroup var judging: JudgingOptions

  @Option(help: "How to write the report: text, json, ktap or junit.")
  var format: Format = .text

  @Option(name: .shortAndLong, help: "How many boots at once; by default one for each processor.")
  var jobs = ProcessInfo.processInfo.activeProcessorCount

  @Option(
    name: .customLong("time-out"),
    help: ArgumentHelp("How long one boot may take, in seconds.", valueName: "seconds"))
  var timeOut = 90

  @Flag(help: "Boot again what was booted before; the results are kept either way.")
  var again = false

  @Option(help: ArgumentHelp("The QEMU to use; by default that of PATH.", valueName: "file"))
  var qemu: String?

  @Option(help: ArgumentHelp("Leave each boot's files there.", valueName: "folder"))
  var keep: String?

  func validate() throws {
    if jobs < 1 { throw ValidationError("--jobs takes a number from 1 on") }
    if timeOut < 1 { throw ValidationError("--time-out takes a number from 1 on") }
    if [plan != nil, !filter.isEmpty, all].count(where: { $0 }) > 1 {
      throw ValidationError("--plan, --all and options that choose rows exclude each other")
    }
  }

  func run() throws {
    let emulator = try found()
    let report = try Output.usable {
      let plan = try self.plan.map { try TestPlan(file: $0) }
      let catalog = try MatrixCatalog.standard(overrides: plan?.dataFiles ?? [])
      let matrix = try matrix(catalog, plan)
      let inspector = try image.images.inspector(matrix: nil, runner: PathRunner(), policy: nil)
      guard let artefact = image.images.artefacts().first else {
        throw ValidationError("no image")
      }
      let subject = try RealBootSubject(
        MutationSubject(
          artefact, modules: inspector.modules, systemMap: inspector.systemMap))
      let report = try boots(of: subject, rows(matrix, plan, subject), plan, emulator)
      try artefact.requireUnchanged()
      return report
    }
    let writer = BootReports()
    switch format {
    case .text: try Output.write(writer.text(report))
    case .json: try Output.write(try JSONReport.render(report))
    case .ktap: try Output.write(writer.ktap(report))
    case .junit: try Output.write(writer.junit(report))
    }
    throw ExitCode(report.exitStatus)
  }

  private func found() throws -> QEMU {
    do throws(RealBootError) {
      return try QEMU(path: qemu)
    } catch {
      Output.complain(error.description)
      throw ExitCode(ExitStatus.unavailable)
    }
  }

  private func matrix(_ catalog: MatrixCatalog, _ plan: TestPlan?) throws -> Matrix {
    let contract = try judging.contract(of: catalog)
    if let plan, contract == nil { return try plan.matrix(catalog) }
    let matrix = try Matrix.standard(catalog, contract: contract, filter: filter.filter)
    return plan == nil ? matrix : matrix.withEdges()
  }

  private func rows(
    _ matrix: Matrix, _ plan: TestPlan?, _ subject: RealBootSubject
  ) throws -> [Matrix.Row] {
    if let plan { return try plan.bootRows(of: matrix) }
    return filter.isEmpty && !all ? subject.representatives(of: matrix.rows) : matrix.rows
  }

  private func boots(
    of subject: RealBootSubject, _ rows: [Matrix.Row], _ plan: TestPlan?, _ emulator: QEMU
  ) throws -> BootReport {
    let prepared = subject.prepared(rows)
    let ready = prepared.compactMap { boot -> (PreparedBoot, BootRunner.Order)? in
      guard let scenario = boot.scenario, let targets = boot.targets else { return nil }
      return (boot, BootRunner.Order(scenario: scenario, targets: targets))
    }
    let runner = BootRunner(
      qemu: emulator, tier: fast ? .fast : .full, jobs: jobs, timeOut: .seconds(timeOut),
      usesCache: !again, keptIn: keep)
    let done = Atomic(0)
    let attempts: [BootAttempt]
    do throws(RealBootError) {
      attempts = try runner.run(ready.map(\.1), kernel: subject.kernel.fileContents) {
        index, attempt in
        let boot = subject.compared(
          ready[index].0, attempt, plan: plan?.expected(ready[index].0.row.path.id))
        let count = done.add(1, ordering: .relaxed).newValue
        Output.progress(BootReports().progress(count, of: ready.count, boot))
      }
    } catch {
      Output.complain(error.description)
      throw ExitCode(ExitStatus.internalError)
    }
    var compared = zip(ready, attempts).map { order, attempt in
      subject.compared(order.0, attempt, plan: plan?.expected(order.0.row.path.id))
    }[...]
    let boots = prepared.compactMap { boot in
      boot.skipped.map { BootedPath(path: boot.row.path, status: .skipped, reason: $0) }
        ?? compared.popFirst()
    }
    return BootReport(
      tool: BHBCheck.tool, image: subject.path, kernel: subject.kernel.identity.release,
      tier: runner.tier, boots: boots)
  }
}
