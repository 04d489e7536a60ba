import BootMachine
public import Inspection
import KernelImage
public import Mitigation

/// Works out what has to be tested because of a patch.
public struct TestPlanner: Sendable {
  public var tool: Report.Tool
  public var catalog: MatrixCatalog
  public var policy: Policy
  public var jobs: Int
  /// The build without the patch, and the one with it.
  public var before: MutationSubject?
  public var after: MutationSubject?
  /// Whether the boot set is found by mutants of the patched build.
  public var usesMutants: Bool
  /// The most mutants to take, spread over all of them; nil: all.
  public var mutantLimit: Int?

  /// The entry points that a plan speaks of where no build tells which there are.
  static let usualEntryPoints: [EntryPoint] = [.syscall64, .int80, .vmexit]

  public init(
    tool: Report.Tool, catalog: MatrixCatalog, policy: Policy, jobs: Int = 1,
    before: MutationSubject? = nil, after: MutationSubject? = nil, usesMutants: Bool = true,
    mutantLimit: Int? = Mutation.usualLimit
  ) {
    self.tool = tool
    self.catalog = catalog
    self.policy = policy
    self.jobs = jobs
    self.before = before
    self.after = after
    self.usesMutants = usesMutants
    self.mutantLimit = mutantLimit
  }

  /// - Throws: `PatchError` for a patch that cannot be used, `ImageError` for an image that cannot
  ///   be run, `DataError` never for the built-in data.
  public func plan(_ patches: [KernelPatch]) throws -> TestPlan {
    let subject = try after.map { try RealBootSubject($0) }
    try ReversedPatch.refuse(
      patches, before: before?.kernel, after: after?.kernel, sites: subject?.sites ?? [])
    let found = PatchRecognizer(patches)
    var plan = TestPlan(
      tool: tool, patches: patches.map { .init(file: $0.name, subject: $0.subject) })
    plan.hunks = found.hunks
    plan.definitions = found.definitions
    plan.kernel = after?.kernel.identity.release
    plan.emptyBecause = Self.emptiness(found)
    guard plan.emptyBecause == nil else { return plan }
    addContract(found, &plan)
    plan.commandLines = found.commandLines.filter { line in
      !catalog.commandLines.contains { $0.line == line.line }
    }
    if let after, let subject {
      try addMeasuredTests(try plan.matrix(catalog), after, subject, &plan)
    } else {
      addRequiredTests(try plan.table(catalog), &plan)
    }
    noteUncovered(&plan)
    return plan
  }

  /// What became of the mutants of a build, on all boot paths.
  func mutationReport(_ matrix: Matrix, _ subject: MutationSubject) throws -> MutationReport {
    try Mutation(
      matrix: matrix, policy: policy, jobs: jobs, limit: mutantLimit, runsEveryPath: true
    ).report(on: subject, tool: tool)
  }

  /// Why there is nothing to test; nil if there is something.
  private static func emptiness(_ found: PatchRecognizer) -> String? {
    let inScope = found.hunks.filter { $0.placement != .outOfScope }
    if inScope.isEmpty {
      return "No hunk of the patch has to do with branch history: there is nothing to test here."
    }
    // What nobody recognised may change anything.
    guard !inScope.contains(where: { $0.placement == .unplaced }) else { return nil }
    let subjects = Set(inScope.flatMap(\.subjects))
    guard !subjects.contains(where: \.isObservable) else { return nil }
    return subjects == [.documentation]
      ? "The patch changes documentation and comments alone: no boot can tell a kernel with it from "
        + "one without it."
      : "The patch changes what KVM tells user space, and documentation: no boot of the patched "
        + "kernel shows that."
  }

  /// A contract that is known already keeps its name.
  private func addContract(_ found: PatchRecognizer, _ plan: inout TestPlan) {
    guard let contract = found.bits.contract else {
      plan.contract = catalog.contracts.first?.id
      return
    }
    if let known = catalog.contracts.first(where: { contract.isSame(as: $0) }) {
      plan.contract = known.id
    } else {
      plan.contracts = [contract]
      plan.contract = contract.id
    }
  }

  // MARK: With a build

  private func addMeasuredTests(
    _ matrix: Matrix, _ after: MutationSubject, _ subject: RealBootSubject, _ plan: inout TestPlan
  ) throws {
    let results = subject.results(of: matrix.rows, jobs: jobs)
    let others = try before.map { try RealBootSubject($0).results(of: matrix.rows, jobs: jobs) }
    var wanted: Set<String> = []
    var seen: Set<ExpectedOutcome> = []
    var tests: [TestPlan.Test] = []
    for (index, row) in matrix.rows.enumerated() {
      let result = results[index]
      guard result.outcome.undeterminedBecause == nil else { continue }
      let expected = result.expected
      let before = others?[index]
      let differences =
        before.map { before in
          before.outcome.undeterminedBecause.map { ["undetermined: \($0)"] }
            ?? before.expected.differences(from: expected)
        } ?? []
      if !differences.isEmpty || seen.insert(expected).inserted { wanted.insert(row.path.id) }
      tests.append(
        TestPlan.Test(
          id: row.path.id, path: row.path,
          kind: before == nil ? .unknown : differences.isEmpty ? .keeps : .changes,
          expected: expected, before: differences, required: policy.requirements(of: row, result),
          machine: PlannedMachine(row), isBootable: subject.isBootable(row), why: "",
          covers: []))
    }
    if usesMutants {
      let bootable = Set(tests.filter(\.isBootable).map(\.id))
      let report = try mutationReport(matrix, after)
      let set = BootSet(report) { bootable.contains($0) }
      wanted.formUnion(set.all)
      plan.bootSet = set.bootable
      let ids = wanted
      plan.mutants = TestPlan.Mutants(
        killable: set.killable,
        noticed: report.mutants.count { result in
          result.isNoticed && result.killedBy.contains { ids.contains($0) }
        }, noticedByBoots: set.noticedByBoots, unexplained: report.unexplained.count)
    }
    plan.tests = tests.filter { wanted.contains($0.id) }
    if !usesMutants { plan.bootSet = plan.tests.filter(\.isBootable).map(\.id) }
    explain(&plan)
  }

  // MARK: Without one

  /// One path for each kind: what the policy asks for, what the hypervisor says, and the options.
  private func addRequiredTests(_ matrix: Matrix, _ plan: inout TestPlan) {
    struct Kind: Hashable {
      var required: [EntryPoint: Requirement]
      var statement: Statement
      var hypervisor: String?
      var showsBHIControl: Bool
      var commandLine: String
    }
    var seen: Set<Kind> = []
    for row in matrix.rows where row.environment.unsupported == nil {
      let machine = PlannedMachine(row)
      let required = policy.requirements(of: row, at: Self.usualEntryPoints)
      let kind = Kind(
        required: required, statement: row.path.statement, hypervisor: machine.hypervisor,
        showsBHIControl: machine.showsBHIControl, commandLine: row.path.commandLineName)
      guard seen.insert(kind).inserted else { continue }
      plan.tests.append(
        TestPlan.Test(
          id: row.path.id, path: row.path, kind: .unknown, expected: nil, before: [],
          required: required, machine: machine, isBootable: row.environment.isShownByQEMU,
          why: "", covers: []))
    }
    explain(&plan)
    plan.tests.removeAll { $0.covers.isEmpty }
    plan.bootSet = plan.tests.filter(\.isBootable).map(\.id)
  }

  // MARK: Reasons

  private func explain(_ plan: inout TestPlan) {
    let hunks = plan.hunks.filter { $0.placement == .placed }
    for index in plan.tests.indices {
      let test = plan.tests[index]
      plan.tests[index].covers = hunks.filter { test.covers($0, of: plan) }.map(\.id)
      plan.tests[index].why = test.reason
    }
  }

  /// Says of hunks that no test covers why.
  private func noteUncovered(_ plan: inout TestPlan) {
    let covered = Set(plan.tests.flatMap(\.covers))
    for index in plan.hunks.indices {
      let hunk = plan.hunks[index]
      guard hunk.placement == .placed, !covered.contains(hunk.id),
        hunk.subjects.contains(where: \.isObservable)
      else { continue }
      plan.hunks[index].reason += "; no boot path of the plan shows it"
    }
  }
}

extension PlannedContract {
  func isSame(as contract: Contract) -> Bool {
    guard shortAdequate == contract.shortAdequate, longRequired == contract.longRequired else {
      return false
    }
    switch contract.place {
    case .cpuid(let signature, let offset, let register):
      return self.signature == signature && self.offset == hexadecimal(UInt64(offset))
        && self.register == register.rawValue
    case .msr(let index, _): return msr == hexadecimal(UInt64(index))
    }
  }
}

extension TestPlan.Test {
  /// Whether a boot of this path shows what a hunk does, as far as its subjects tell.
  func covers(_ hunk: TestPlan.Hunk, of plan: TestPlan) -> Bool {
    // A path that the patch leaves as it was shows a mistake, but nothing of the patch.
    let mayShow = kind != .keeps
    return hunk.subjects.contains { subject in
      switch subject {
      case .sequence: runsSequence
      case .site: runsSequence(at: hunk.entryPoints)
      case .feature, .selection, .sysfs: mayShow && expected?.affected ?? true
      case .cpuid: machine.hypervisor == plan.signature && machine.hypervisor != nil
      case .msr: machine.archCapabilities != nil
      case .commandLine: plan.commandLines.contains { $0.line == path.commandLine }
      case .kvm, .documentation: false
      }
    }
  }

  private var runsSequence: Bool { runsSequence(at: []) }

  private func runsSequence(at entryPoints: [EntryPoint]) -> Bool {
    guard let expected else {
      return required.values.contains { $0 == .long || $0 == .shortOrLong }
    }
    return expected.entryPoints.contains { entryPoint, entry in
      entry.mechanism == .sequence && (entryPoints.isEmpty || entryPoints.contains(entryPoint))
    }
  }

  /// One sentence.
  var reason: String {
    let running = expected?.entryPoints.values.compactMap(\.sequence).filter { $0 != .none } ?? []
    let what =
      running.isEmpty
      ? "No sequence runs here."
      : "The \(Set(running).map(\.rawValue).sorted().joined(separator: " and ")) sequence runs here."
    switch kind {
    case .changes:
      return "\(what) The build without the patch differs: \(before.joined(separator: "; "))."
    case .keeps: return "\(what) The patch must leave it so."
    case .unknown:
      return expected == nil
        ? "The least that the policy asks for: "
          + required.sorted { $0.key < $1.key }
          .map { "\($0.key.rawValue) \($0.value.rawValue)" }.joined(separator: ", ") + "."
        : what
    }
  }
}

extension TestPlan {
  /// The hypervisor that the contract speaks of; nil if it is a register's.
  var signature: String? {
    contracts.first { $0.id == contract }?.signature ?? (contracts.isEmpty ? "KVMKVMKVM" : nil)
  }
}

extension TestPlan.Hunk {
  /// The entry points that its file serves; empty: any.
  var entryPoints: [EntryPoint] { Self.entryPoints(of: file) }

  static func entryPoints(of file: String) -> [EntryPoint] {
    if file.contains("fred") { return [.fredUser] }
    if file.hasSuffix("vmenter.S") { return [.vmexit] }
    if file.hasSuffix("bpf_jit_comp.c") { return [.bpf] }
    return []
  }
}
