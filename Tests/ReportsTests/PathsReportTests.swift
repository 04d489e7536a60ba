import Mitigation
import Reports
import Testing

@Suite struct PathsReportTests {
  @Test func theTable() throws {
    try expectSnapshot(PathsReport().render(Fixture.shortPaths), "paths.txt")
  }

  @Test func aTableWithoutVerdictsHasNoColumnForThem() throws {
    let paths = Fixture.shortPaths.prefix(2).map { path in
      var path = path
      path.verdict = nil
      return path
    }
    try expectSnapshot(PathsReport().render(paths), "paths-not-judged.txt")
  }

  @Test func onePathInFull() throws {
    try expectSnapshot(
      PathsReport().explain(
        Fixture.explainedPath(),
        stubs: [Substitution(symbol: "kvmclock_init", reason: "no clock is needed")]),
      "explain.txt")
  }

  @Test func onePathInFullWithoutATrace() throws {
    try expectSnapshot(
      PathsReport(width: 100).explain(Fixture.shortPaths[9]), "explain-without-trace.txt")
  }

  @Test func vulnerabilitiesAreSortedByFile() {
    #expect(
      PathsReport().vulnerabilities(Fixture.explainedPath()) == """
        mds: Not affected
        spectre_v2: Mitigation: Enhanced / Automatic IBRS; IBPB: conditional; \
        BHI: SW loop, KVM: SW loop

        """)
    #expect(PathsReport().vulnerabilities(Fixture.shortPaths[0]) == "")
  }

  @Test(arguments: [
    ("Mitigation: Retpolines; STIBP: disabled; BHI: Retpoline", "Retpoline"),
    ("Vulnerable; BHI: Vulnerable, KVM: SW loop", "Vulnerable, KVM: SW loop"),
    ("Mitigation: X; BHI: BHI_DIS_S; Later: part", "BHI_DIS_S"),
    ("Vulnerable: eIBRS with unprivileged eBPF", "no BHI part"),
    ("", "no BHI part"), (nil, "unknown"),
  ])
  func theColumnShowsWhatSysfsSaysOfBHI(sysfs: String?, words: String) {
    let row = row(sysfs: sysfs, Fixture.everywhere(.off, .none, .nothing, .adequate))
    #expect(row == "a    b            silent     default       adequate  off (all)   \(words)")
  }

  @Test func entryPointsThatShareAnOutcomeAreTakenTogether() {
    let short = EntryPointOutcome(mechanism: .sequence, sequence: .short)
    let hardware = EntryPointOutcome(mechanism: .hardware, sequence: SelectedSequence.none)
    let ibhf = EntryPointOutcome(mechanism: .ibhf, sequence: SelectedSequence.none)
    let long = EntryPointOutcome(mechanism: .hardware, sequence: .long)
    let unseen = EntryPointOutcome(mechanism: .sequence, sequence: nil)
    let none = EntryPointOutcome(mechanism: nil, sequence: nil)
    let cases: [([EntryPoint: EntryPointOutcome], String)] = [
      ([:], "no entry point"),
      ([.vmexit: short], "sequence short (vmexit)"),
      ([.syscall64: short, .vmexit: short], "sequence short (all)"),
      ([.syscall64: hardware, .int80: hardware, .bpf: ibhf], "hardware; bpf ibhf"),
      ([.syscall64: hardware, .bpf: ibhf], "syscall64 hardware; bpf ibhf"),
      (
        [.bpf: short, .vmexit: short, .syscall64: long, .int80: unseen],
        "syscall64 hardware with sequence long; int80 sequence unknown; vmexit, bpf sequence short"
      ),
      ([.syscall64: none, .vmexit: none], "unknown (all)"),
    ]
    for (points, words) in cases {
      #expect(row(sysfs: "BHI: x", points).contains("  \(words)  x"))
    }
  }

  private func row(sysfs: String?, _ points: [EntryPoint: EntryPointOutcome]) -> String {
    let path = Fixture.path("a", "b", verdict: .adequate, sysfs: sysfs, points)
    let lines = PathsReport().render([path]).split(separator: "\n")
    return lines.count == 2 ? String(lines[1]) : "\(lines.count) lines"
  }
}
