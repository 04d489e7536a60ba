import Mitigation

extension Page {
  mutating func entryPoints(of path: JudgedPath) {
    heading("Entry points", path.entryPoints.isEmpty ? "none" : "")
    guard !path.entryPoints.isEmpty else { return }
    table(
      header: ["entry point", "mechanism", "sequence", "required", "verdict"],
      path.entryPoints.sorted { $0.key < $1.key }.map { point, outcome in
        [
          Cell(point.rawValue), Cell(outcome.mechanism?.rawValue ?? unknown),
          Cell(outcome.sequence?.rawValue ?? unknown),
          Cell(outcome.required?.words ?? "not judged"), outcome.verdict.cell,
        ]
      })
  }

  mutating func evidence(of path: JudgedPath) {
    let outcome = path.outcome
    let evidence = outcome.evidence
    heading("Evidence", evidence.kind.rawValue)
    facts([
      ("command line", Cell(quoted(path.path.commandLine))),
      ("spectre_v2 in sysfs", Cell(outcome.sysfs ?? unknown)),
      ("X86_BUG_BHI", Cell(evidence.affected.map { $0 ? "set" : "not set" } ?? unknown)),
      ("SPEC_CTRL", Cell(evidence.specCtrl.map(specCtrlWords) ?? "never written")),
      ("features", Cell(listed(evidence.features.map(\.description)))),
      ("chain", Cell(listed(evidence.chain))),
      ("given", Cell(listed(evidence.given))),
      ("derived", Cell(listed(evidence.derived))),
    ])
    section("Left out of the usual chain", evidence.narrowed)
    section("Contradictions", evidence.disagreements, style: .bad)
    section("Log", evidence.log)
    if let files = outcome.vulnerabilities {
      heading("Vulnerabilities")
      facts(files.sorted { $0.key < $1.key }.map { ($0.key, Cell($0.value)) })
    }
  }

  mutating func trace(_ trace: Trace) {
    heading("Trace", counted(trace.blocks, "block"))
    if let variant = trace.sequence {
      let branches = trace.sequence?.takenBranches.map { ", \($0) taken branches" } ?? ""
      let kind = variant.sequenceClass?.rawValue ?? unknown
      paragraph("sequence as it ran: \(kind), \(variant.counts)\(branches)")
    }
    section("Functions run", trace.functions)
    if !trace.cpuid.isEmpty {
      heading("CPUID answers")
      table(
        header: ["leaf", "subleaf", "eax", "ebx", "ecx", "edx"],
        leafRuns(trace.cpuid).map { run in
          let first = run[run.startIndex]
          let leaves =
            run.count == 1
            ? first.leaf.description
            : "\(first.leaf) … \(run[run.endIndex - 1].leaf) (\(run.count))"
          return [Cell(leaves)]
            + [first.subleaf, first.eax, first.ebx, first.ecx, first.edx].map {
              Cell($0.description)
            }
        })
    }
    if !trace.msrs.isEmpty {
      heading("Model-specific registers")
      table(
        header: ["access", "index", "value"],
        trace.msrs.map { access in
          [
            Cell(access.kind.rawValue), Cell(access.index.description),
            Cell(access.value?.description ?? "fault"),
          ]
        })
    }
    if !trace.staticCalls.isEmpty {
      heading("Static calls")
      table(
        header: ["key", "target"], trace.staticCalls.map { [Cell($0.key), Cell($0.target)] })
    }
    if !trace.sites.isEmpty {
      heading("Sites as patched")
      table(
        header: ["entry point", "where", "runs the sequence", "bytes"],
        trace.sites.map { site in
          [
            Cell(site.entryPoint?.rawValue ?? unknown), Cell("\(site.symbol) (\(site.address))"),
            Cell(yesOrNo(site.runsSequence)),
            Cell(site.bytes.description + (site.text.map { "  \($0)" } ?? "")),
          ]
        })
    }
    section("Warnings", trace.warnings, style: .caution)
    section("Instructions skipped", trace.skippedInstructions)
    section("Whole log", trace.log)
  }

  /// A heading with one line for each text; nothing if there is none.
  private mutating func section(_ title: String, _ lines: [String], style: Style? = nil) {
    guard !lines.isEmpty else { return }
    heading(title)
    for text in lines { paragraph(text, style: style) }
  }
}

/// Queries in their order, with neighbours that got the same answer put together: a search for a
/// hypervisor's signature asks 256 leaves (cpuid_base_hypervisor(), arch/x86/include/asm/cpuid/api.h).
private func leafRuns(_ queries: [CPUIDAccess]) -> [ArraySlice<CPUIDAccess>] {
  var runs: [ArraySlice<CPUIDAccess>] = []
  for index in queries.indices {
    if let last = runs.last?.last, last.hasAnswer(of: queries[index]), let run = runs.last {
      runs[runs.count - 1] = queries[run.startIndex...index]
    } else {
      runs.append(queries[index...index])
    }
  }
  return runs
}

extension CPUIDAccess {
  fileprivate func hasAnswer(of other: CPUIDAccess) -> Bool {
    var same = other
    same.leaf = leaf
    return same == self
  }
}

private func listed(_ words: [String]) -> String {
  words.isEmpty ? "none" : words.joined(separator: ", ")
}

/// The bits of IA32_SPEC_CTRL by name (Intel SDM, volume 4, table 2-2).
private func specCtrlWords(_ value: Address) -> String {
  let names: [(bit: UInt64, name: String)] = [
    (0, "IBRS"), (1, "STIBP"), (2, "SSBD"), (3, "IPRED_DIS_U"), (4, "IPRED_DIS_S"),
    (5, "RRSBA_DIS_U"), (6, "RRSBA_DIS_S"), (7, "PSFD"), (8, "DDPD_U"), (10, "BHI_DIS_S"),
  ]
  let set = names.filter { value.value & 1 << $0.bit != 0 }.map(\.name)
  return hexadecimal(value.value) + (set.isEmpty ? "" : " (\(set.joined(separator: ", ")))")
}
