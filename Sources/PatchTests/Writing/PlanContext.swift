import BootMachine
import Foundation
import Inspection
import Mitigation

/// What templates are given of a plan.
struct PlanContext {
  let plan: TestPlan

  /// Options that the choice depends on in every kernel.
  private static let usualOptions = ["mitigations", "nospectre_v2", "spectre_v2", "spectre_bhi"]

  var values: [String: Any] {
    [
      "tool": "\(plan.tool.name) \(plan.tool.version)",
      "title": title,
      "patches": plan.patches.map { $0.subject.isEmpty ? $0.file : $0.subject },
      "contract": contract, "options": options, "rows": rows,
      "empty": plan.emptyBecause ?? "",
      "testCount": plan.tests.count, "bootCount": plan.bootSet.count,
      "measured": plan.tests.contains { $0.kind != .unknown },
      "changes": plan.tests.count { $0.kind == .changes },
      "keeps": plan.tests.count { $0.kind == .keeps },
      "mutants": plan.mutants.map {
        ["killable": $0.killable, "noticed": $0.noticed, "boots": $0.noticedByBoots]
      } as Any,
      "definitions": plan.definitions.map {
        [
          "name": $0.name, "value": $0.value, "place": "\($0.patch), line \($0.line)",
          "taken": $0.taken,
        ]
      },
      "placed": hunks(.placed), "unplaced": hunks(.unplaced), "outside": hunks(.outOfScope),
    ]
  }

  private var title: String {
    let subjects = plan.patches.map { $0.subject.isEmpty ? $0.file : $0.subject }
    guard let first = subjects.first else { return "a patch" }
    return subjects.count == 1 ? first : "\(first), and \(subjects.count - 1) more"
  }

  private func hunks(_ placement: TestPlan.Hunk.Placement) -> [[String: Any]] {
    plan.hunks.filter { $0.placement == placement }.map {
      ["place": "\($0.patch):\($0.line)", "file": $0.file, "reason": $0.reason]
    }
  }

  /// The options by which a running kernel knows its command line.
  private var options: [String] {
    let added = plan.tests.flatMap { test in
      test.path.commandLine.split(separator: " ").map { String($0.prefix { $0 != "=" }) }
    }
    var found = Self.usualOptions
    for option in added.sorted() where !found.contains(option) { found.append(option) }
    return found
  }

  // MARK: The contract

  private var contract: [String: Any] {
    guard let contract = planned, let signature = contract.signature,
      let offset = contract.offset, let register = contract.register,
      let index = ["eax", "ebx", "ecx", "edx"].firstIndex(of: register)
    else {
      return ["signature": "", "leaf": "0", "register": 0, "short": "0", "long": "0"]
    }
    return [
      "signature": signature, "leaf": offset, "register": index,
      "short": mask(contract.shortAdequate), "long": contract.longRequired.map(mask) ?? "0",
    ]
  }

  private var planned: PlannedContract? {
    if let own = plan.contracts.first(where: { $0.id == plan.contract }) { return own }
    guard let id = plan.contract,
      let known = (try? MatrixCatalog.standard())?.contract(id: id)
    else { return nil }
    return PlannedContract(known)
  }

  private func mask(_ bit: Int) -> String {
    bit < 32 ? hexadecimal(1 << UInt64(bit)) : "0"
  }

  // MARK: Rows

  /// The boot paths, those first that differ in what a shell sees.
  private var rows: [[String: Any]] {
    plan.tests.filter { !$0.machine.isConfidential }.map { test in
      let machine = test.machine
      let expected = test.expected
      let sysfs = expected?.sysfs ?? ""
      return [
        "path": test.id, "vendor": machine.vendor,
        // A shell reads it without blanks at its ends.
        "shellVendor": machine.vendor.trimmed,
        "family": machine.family, "model": machine.model,
        "hypervisor": machine.showsHypervisor ? "true" : "false",
        "signature": machine.showsHypervisor ? machine.hypervisor ?? "" : "",
        "bhiControl": machine.showsBHIControl ? "true" : "false",
        "hasCapabilities": machine.archCapabilities == nil ? "false" : "true",
        "capabilities": hexadecimal(machine.archCapabilities?.value ?? 0),
        "statement": Self.statement(test.path.statement),
        "options": normalized(test.path.commandLine),
        "user": wanted(test, .userToKernel), "vmexit": wanted(test, .guestToHost),
        "outer": expected?.sequence?.outer ?? 0, "inner": expected?.sequence?.inner ?? 0,
        "sysfs": sysfs,
        "needs": test.required.values.contains { $0 == .long || $0 == .shortOrLong }
          ? "mitigated" : "nothing",
      ]
    }
  }

  private func normalized(_ line: String) -> String {
    line.split(separator: " ").filter { options.contains(String($0.prefix { $0 != "=" })) }
      .joined(separator: " ")
  }

  private static func statement(_ statement: Statement) -> String {
    switch statement {
    case .silent: "0"
    case .shortAdequate: "BHB_STATEMENT_SHORT"
    case .longRequired: "BHB_STATEMENT_LONG"
    }
  }

  /// What has to run at the entry points of a vector, in the words of the suite.
  private func wanted(_ test: TestPlan.Test, _ vector: AttackVector) -> String {
    // What a JIT emits, and static calls, the suite does not look at.
    func counts(_ entryPoint: EntryPoint) -> Bool {
      entryPoint.vector == vector && entryPoint != .bpf && entryPoint != .exitToUser
    }
    if let expected = test.expected {
      let entries = expected.entryPoints.filter { counts($0.key) }.map(\.value)
      guard !entries.isEmpty, entries.allSatisfy({ $0.mechanism != nil }) else {
        return "BHB_ANYTHING"
      }
      if entries.allSatisfy({ $0.mechanism == .sequence }) { return "BHB_SEQUENCE" }
      return entries.contains { $0.mechanism == .sequence } ? "BHB_ANYTHING" : "BHB_NOTHING"
    }
    let required = test.required.filter { counts($0.key) }.map(\.value)
    if required.contains(.long) { return "BHB_LONG" }
    return required.contains(.shortOrLong) ? "BHB_SHORT_OR_LONG" : "BHB_ANYTHING"
  }
}

extension PlannedContract {
  /// A contract of the catalogue.
  init(_ contract: Contract) {
    self.init(
      id: contract.id, title: contract.title, signature: nil, offset: nil, register: nil, msr: nil,
      shortAdequate: contract.shortAdequate, longRequired: contract.longRequired,
      source: contract.source ?? "")
    switch contract.place {
    case .cpuid(let signature, let offset, let register):
      self.signature = signature
      self.offset = hexadecimal(UInt64(offset))
      self.register = register.rawValue
    case .msr(let index, _): msr = hexadecimal(UInt64(index))
    }
  }
}
