public import BootMachine
import KernelImage
import Mitigation

/// Asks the KVM of an image what it can promise, on every host of a catalogue.
public struct HostInspection: Sendable {
  let rows: [HostRow]
  let contract: Contract
  let capabilities: Contract.HostCapabilities
  var jobs: Int

  /// - Parameter contract: by which capabilities to ask; nil takes the first one of the catalogue.
  /// - Throws: for a contract by which no host can be asked, or hosts that refer to what is not there.
  public init(
    _ catalog: MatrixCatalog, contract: Contract? = nil, jobs: Int = 1
  ) throws(DataError) {
    let known = catalog.contracts.filter { $0.host != nil }
    guard let contract = contract ?? known.first, let capabilities = contract.host else {
      throw DataError(
        .unknownName, file: DataFile.Kind.contracts.rawValue,
        message: "the contract \(contract?.id ?? "") names no capabilities of a host; "
          + (known.isEmpty
            ? "none does" : "those that do: \(known.map(\.id).joined(separator: ", "))"))
    }
    rows = try catalog.hostRows(contract)
    self.contract = contract
    self.capabilities = capabilities
    self.jobs = jobs
  }

  /// What the KVM of `kernel`, or of `modules`, says.
  func report(on kernel: KernelImage, modules: [KernelModule]) -> HostReport {
    var report = HostReport(contract: contract.id)
    let program: HostProgram
    do {
      program = try HostProgram(kernel, modules: modules)
    } catch {
      report.undeterminedBecause = error.description
      return report
    }
    report.modules = program.modules
    report.stubs = program.substitutions
    report.asked = program.asked
    report.fields = program.constants(VMXControl.fields)
    let lines = EffectiveCommandLine(kernel.identity)
    report.hosts =
      inParallel(rows.count, jobs: jobs, { HostWorker(program) }) {
        (worker: inout HostWorker, index) in
        let row = rows[index]
        let line = CommandLine(name: row.kind.id, line: row.kind.commandLine ?? "")
        return outcome(of: row, commandLine: lines.text(for: line), &worker)
      }.compactMap(\.self)
    return report
  }

  private func outcome(
    of row: HostRow, commandLine: String, _ worker: inout HostWorker
  ) -> HostOutcome {
    var outcome = HostOutcome(
      cpu: row.cpu, host: row.kind.id, statement: row.statement, facts: row.facts)
    outcome.given = row.processor.given
    outcome.derived = row.processor.derived
    let answers: HostAnswers
    do {
      answers = try worker.run(
        HostRequest(
          processor: row.processor, commandLine: commandLine,
          extensions: [capabilities.hints] + (capabilities.force.map { [$0] } ?? []),
          force: capabilities.force))
    } catch {
      outcome.undeterminedBecause = error.description
      return outcome
    }
    outcome.functions = answers.ran
    if let failure = answers.failure {
      outcome.undeterminedBecause = failure
      return outcome
    }
    outcome.starts = answers.startError == nil
    outcome.startError = answers.startError
    guard answers.startError == nil else { return outcome }
    read(answers, into: &outcome)
    if row.facts.offersControl, let with = answers.controls {
      outcome.takesControl = takesControl(row, commandLine, with, &worker)
    }
    return outcome
  }

  private func read(_ answers: HostAnswers, into outcome: inout HostOutcome) {
    var reasons: [String] = []
    switch hints(answers.extensions) {
    case .value(let hints):
      outcome.hints = Hex32(hints)
      outcome.promises = promises(hints)
    case .unknown(let reason): reasons.append(reason)
    }
    if let force = capabilities.force {
      switch answers.extensions[force] ?? .unknown("it was not asked") {
      case .value(let value): outcome.ableToForce = value > 0
      case .unknown(let reason): reasons.append(reason)
      }
    }
    switch answers.supported {
    case .value(let table): outcome.supported = supported(table)
    case .unknown(let reason): reasons.append(reason)
    }
    for (wish, machine) in answers.machines.map({ (HostVM.Wish($0.key), $0.value) })
      .sorted(by: { $0.0.order < $1.0.order })
    {
      outcome.machines.append(vm(wish, machine))
    }
    // Where nothing can be forced, a VM that could not be made leaves no question open.
    if outcome.ableToForce != false || outcome.promises?.isEmpty == false {
      reasons += outcome.machines.compactMap(\.undeterminedBecause)
    }
    if let first = reasons.first { outcome.undeterminedBecause = first }
  }

  private func vm(_ wish: HostVM.Wish, _ machine: HostAnswers.VirtualMachine) -> HostVM {
    switch machine.accepted {
    case .unknown(let reason):
      return HostVM(wish: wish, accepted: nil, promises: nil, undeterminedBecause: reason)
    case .value(let value):
      switch hints(machine.extensions) {
      case .value(let hints):
        return HostVM(wish: wish, accepted: value == 0, promises: promises(hints))
      case .unknown(let reason):
        return HostVM(
          wish: wish, accepted: value == 0, promises: nil, undeterminedBecause: reason)
      }
    }
  }

  /// The bitmap of hints; an error in its place is not one.
  private func hints(_ extensions: [UInt32: HostAnswer<Int>]) -> HostAnswer<UInt32> {
    switch extensions[capabilities.hints] ?? .unknown("it was not asked") {
    case .unknown(let reason): .unknown(reason)
    case .value(let value):
      UInt32(exactly: value).map { .value($0) } ?? .unknown("KVM_CHECK_EXTENSION returned \(value)")
    }
  }

  private func promises(_ hints: UInt32) -> [Statement] {
    [
      (Statement.shortAdequate, contract.shortAdequate as Int?),
      (.longRequired, contract.longRequired),
    ]
    .compactMap { statement, bit in
      bit.flatMap { hints >> UInt32($0) & 1 != 0 ? statement : nil }
    }
  }

  /// The contract's leaf as KVM lists it; nil if it does not list it.
  private func supported(_ table: CPUIDTable) -> CPUIDAccess? {
    guard case .cpuid(let signature, let offset, _) = contract.place,
      let base = table.entries.first(where: { entry in
        BootRead.hypervisorLeaves.contains(entry.leaf)
          && CPUIDTable.text(of: [
            entry.registers.ebx, entry.registers.ecx, entry.registers.edx,
          ]) == signature
      })?.leaf
    else { return nil }
    let leaf = base &+ offset
    return table[leaf, 0].map {
      CPUIDAccess(leaf: leaf, subleaf: 0, eax: $0.eax, ebx: $0.ebx, ecx: $0.ecx, edx: $0.edx)
    }
  }

  /// Whether what KVM keeps of the VMX controls has a bit more than it has where VMX does not offer
  /// "virtualize IA32_SPEC_CTRL": that needs no layout of where it keeps it.
  private func takesControl(
    _ row: HostRow, _ commandLine: String, _ with: [UInt8], _ worker: inout HostWorker
  ) -> Bool? {
    guard
      let answers = try? worker.run(
        HostRequest(processor: row.withoutControl, commandLine: commandLine, extensions: [])),
      answers.failure == nil, answers.startError == nil, let without = answers.controls,
      without.count == with.count
    else { return nil }
    let changed = zip(with, without).filter { $0 != $1 }
    if changed.isEmpty { return false }
    // Whatever else follows from it, such as what nested guests are shown, is added too.
    let isAdded = changed.allSatisfy { new, old in old & ~new == 0 }
    let bit = UInt8(VMXControl.virtualizeSpecCtrl)
    return isAdded && changed.contains { new, old in new & ~old & bit != 0 } ? true : nil
  }
}

/// One thread's machine, or why there is none.
struct HostWorker: ~Copyable {
  private var machine: HostMachine?
  private var failure: MachineError?

  init(_ program: HostProgram) {
    do {
      machine = try HostMachine(program)
    } catch {
      machine = nil
      failure = error
    }
  }

  mutating func run(_ request: HostRequest) throws(MachineError) -> HostAnswers {
    if let answers = try machine?.run(request) { return answers }
    throw failure ?? MachineError("the machine could not be made")
  }
}

extension HostVM.Wish {
  init(_ wish: HostAnswers.Wish) {
    switch wish {
    case .nothing: self = .nothing
    case .force: self = .force
    case .stop: self = .stop
    }
  }

  fileprivate var order: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
