import Foundation
import Mitigation
import Testing

/// Holds the shipped policies against the table that they stand for, row by row.
@Suite("Policies")
struct PolicyTests {
  let policies: [Policy]
  let policy: Policy

  init() throws {
    policies = try Self.decode(PolicyDocument.builtIn)
    policy = try #require(policies.first { $0.id == Policy.defaultID })
  }

  static func decode(_ bytes: some Sequence<UInt8>) throws -> [Policy] {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(PolicyDocument.self, from: Data(bytes)).policies
  }

  // MARK: Facts

  /// An affected processor on bare metal, of an age that is not known to be old.
  private static func facts(_ change: (inout PathFacts) -> Void = { _ in }) -> PathFacts {
    var facts = PathFacts()
    facts.affected = true
    change(&facts)
    return facts
  }

  private static func guest(
    _ statement: Statement = .silent, _ change: (inout PathFacts) -> Void = { _ in }
  ) -> PathFacts {
    facts { facts in
      facts.isGuest = true
      facts.knowsItIsGuest = true
      facts.statement = statement
      change(&facts)
    }
  }

  private static let long = EntryPointOutcome(mechanism: .sequence, sequence: .long)
  private static let short = EntryPointOutcome(mechanism: .sequence, sequence: .short)
  private static let deficient = EntryPointOutcome(mechanism: .sequence, sequence: .deficient)
  private static func only(_ mechanism: Mechanism) -> EntryPointOutcome {
    EntryPointOutcome(mechanism: mechanism, sequence: SelectedSequence.none)
  }

  private func judge(
    _ outcome: EntryPointOutcome, _ facts: PathFacts, at entryPoint: EntryPoint = .syscall64,
    by policy: Policy? = nil
  ) -> (Requirement?, Verdict?) {
    let judged = (policy ?? self.policy).judged(outcome, at: entryPoint, facts)
    return (judged.required, judged.verdict)
  }

  // MARK: The default policy's rows

  @Test("not affected by its profile: nothing; unknown is not unaffected")
  func notAffected() {
    let spared = Self.facts { $0.affected = false }
    #expect(judge(Self.only(.none), spared) == (.nothing, .adequate))
    #expect(judge(Self.long, spared) == (.nothing, .excessive))
    let open = Self.facts { $0.affected = nil }
    #expect(judge(Self.only(.none), open) == (.long, .undetermined))
    #expect(judge(Self.short, open) == (.long, .undetermined))
    #expect(judge(Self.long, open) == (.long, .adequate))
  }

  @Test("a switch of the user's excuses the entry points of its own vector, and no others")
  func optedOut() {
    let facts = Self.facts { $0.switchedOff = [.userToKernel] }
    for point in [EntryPoint.syscall64, .sysenterCompat, .syscallCompat, .int80, .fredUser, .bpf] {
      #expect(judge(Self.only(.off), facts, at: point) == (.optedOut, .adequate), "\(point)")
    }
    for point in [EntryPoint.vmexit, .exitToUser] {
      #expect(judge(Self.only(.off), facts, at: point) == (.long, .inadequate), "\(point)")
    }
    let guests = Self.facts { $0.switchedOff = [.guestToHost] }
    #expect(judge(Self.only(.off), guests) == (.long, .inadequate))
    #expect(judge(Self.only(.off), guests, at: .vmexit) == (.optedOut, .adequate))
  }

  @Test("off without a switch of the user's is judged as if it were on")
  func offByBuild() {
    #expect(judge(Self.only(.off), Self.facts()) == (.long, .inadequate))
    let maybe = Self.facts { $0.maybeSwitchedOff = [.userToKernel] }
    #expect(judge(Self.only(.off), maybe) == (.optedOut, .adequate))
    #expect(judge(Self.short, maybe) == (.long, .inadequate))
  }

  @Test("BHI_DIS_S satisfies every entry into the kernel, never the way out")
  func hardware() {
    let metal = Self.facts { $0.hasHardwareControl = true }
    let guest = Self.guest(.longRequired) { $0.hasHardwareControl = true }
    for facts in [metal, guest] {
      for point in EntryPoint.allCases where point != .exitToUser {
        #expect(judge(Self.only(.hardware), facts, at: point) == (.hardware, .adequate))
      }
    }
    #expect(judge(Self.only(.none), metal, at: .exitToUser) == (.long, .inadequate))
    #expect(judge(Self.long, metal, at: .exitToUser) == (.long, .adequate))
    // Only what the kernel set counts, not the word.
    #expect(judge(Self.only(.hardware), Self.facts()) == (.long, .inadequate))
  }

  @Test("retpolines hold on bare metal, and in a guest that disabled the RRSBA it sees")
  func retpolines() {
    #expect(judge(Self.only(.retpoline), Self.facts()) == (.retpoline, .adequate))
    let disabled = Self.guest { $0.rrsba = .disabled }
    #expect(judge(Self.only(.retpoline), disabled) == (.retpoline, .adequate))
    for facts in [Self.facts { $0.rrsba = .active }, Self.guest { $0.rrsba = .active }] {
      #expect(judge(Self.only(.retpoline), facts) == (.long, .inadequate))
    }
    #expect(judge(Self.only(.retpoline), Self.facts(), at: .exitToUser) == (.long, .inadequate))
  }

  @Test("a guest that sees no RRSBA and hears nothing proves nothing with retpolines")
  func unprovenRetpolines() {
    #expect(judge(Self.only(.retpoline), Self.guest()) == (.long, .undetermined))
    #expect(judge(Self.only(.retpoline), Self.guest(.shortAdequate)) == (.retpoline, .adequate))
    #expect(judge(Self.only(.retpoline), Self.guest(.longRequired)) == (.long, .inadequate))
    let confidential = Self.guest(.shortAdequate) { $0.isConfidential = true }
    #expect(judge(Self.only(.retpoline), confidential) == (.long, .undetermined))
  }

  @Test("bare metal: short or long on a known old core, long on anything else")
  func bareMetal() {
    let old = Self.facts { $0.beforeAlderLake = true }
    #expect(judge(Self.short, old) == (.shortOrLong, .adequate))
    #expect(judge(Self.long, old) == (.shortOrLong, .excessive))
    #expect(judge(Self.deficient, old) == (.shortOrLong, .inadequate))
    for shows in [false, true] {
      let new = Self.facts { $0.showsBHIControl = shows }
      #expect(judge(Self.short, new) == (.long, .inadequate))
      #expect(judge(Self.long, new) == (.long, .adequate))
    }
  }

  @Test("guests: long if that is required or nobody speaks, short if it is said to do")
  func guests() {
    for statement in [Statement.silent, .longRequired] {
      for old in [false, true] {
        let facts = Self.guest(statement) { $0.beforeAlderLake = old }
        #expect(judge(Self.short, facts) == (.long, .inadequate))
        #expect(judge(Self.long, facts) == (.long, .adequate))
      }
    }
    let told = Self.guest(.shortAdequate)
    #expect(judge(Self.short, told) == (.shortOrLong, .adequate))
    #expect(judge(Self.long, told) == (.shortOrLong, .excessive))
    #expect(judge(Self.only(.none), told) == (.shortOrLong, .inadequate))
  }

  @Test("told that short suffices, a BPF program needs long, or short followed by IBHF")
  func bpf() {
    let told = Self.guest(.shortAdequate)
    let fenced = EntryPointOutcome(mechanism: .sequence, sequence: .short, followedByIBHF: true)
    #expect(judge(Self.short, told, at: .bpf) == (.long, .inadequate))
    #expect(judge(fenced, told, at: .bpf) == (.long, .adequate))
    #expect(judge(Self.long, told, at: .bpf) == (.long, .adequate))
    #expect(judge(Self.only(.ibhf), told, at: .bpf) == (.long, .inadequate))
    #expect(judge(fenced, Self.guest(), at: .bpf) == (.long, .inadequate))
    let old = Self.facts { $0.beforeAlderLake = true }
    #expect(judge(Self.short, old, at: .bpf) == (.shortOrLong, .adequate))
  }

  @Test("told that short suffices, the way out of a nested hypervisor needs long")
  func nested() {
    let nested = Self.guest(.shortAdequate) { $0.isNestedHypervisor = true }
    #expect(judge(Self.short, nested, at: .exitToUser) == (.long, .inadequate))
    #expect(judge(Self.short, nested, at: .vmexit) == (.shortOrLong, .adequate))
    // Where no guest runs inside the guest, none leaves a history.
    let plain = Self.guest(.shortAdequate)
    #expect(judge(Self.only(.none), plain, at: .exitToUser) == (.nothing, .adequate))
  }

  @Test("a confidential guest trusts no statement")
  func confidential() {
    for statement in Statement.allCases {
      let facts = Self.guest(statement) { $0.isConfidential = true }
      #expect(judge(Self.short, facts) == (.long, .inadequate))
      #expect(judge(Self.long, facts) == (.long, .adequate))
    }
  }

  @Test("a guest that cannot know that it is one is judged by what it can know")
  func unaware() {
    let old = Self.facts { facts in
      facts.isGuest = true
      facts.beforeAlderLake = true
    }
    #expect(judge(Self.short, old) == (.shortOrLong, .adequate))
    let new = Self.facts { $0.isGuest = true }
    #expect(judge(Self.short, new) == (.long, .inadequate))
  }

  // MARK: Paths

  @Test("a path's verdict is its worst, and without an outcome it has none")
  func paths() {
    func path(_ entryPoints: [EntryPoint: EntryPointOutcome], because: String? = nil) -> JudgedPath
    {
      JudgedPath(
        path: BootPath(
          cpu: "a", environment: "b", statement: .silent, commandLineName: "c", commandLine: ""),
        outcome: Outcome(sysfs: nil, evidence: Evidence(), undeterminedBecause: because),
        entryPoints: entryPoints)
    }
    let old = Self.facts { $0.beforeAlderLake = true }
    let nothing = EntryPointOutcome(mechanism: nil, sequence: nil)
    let mixed: [EntryPoint: EntryPointOutcome] = [.syscall64: Self.long, .int80: Self.short]
    #expect(policy.judged(path(mixed), old).verdict == .excessive)
    #expect(policy.judged(path([.syscall64: Self.short]), old).verdict == .adequate)
    #expect(
      policy.judged(path([.syscall64: Self.long, .int80: nothing]), old).verdict == .undetermined)
    #expect(
      policy.judged(path([.syscall64: nothing, .int80: Self.only(.none)]), old).verdict
        == .inadequate)
    let failed = policy.judged(path(mixed, because: "it stopped"), old)
    #expect(failed.verdict == .undetermined)
    #expect(failed.entryPoints.values.allSatisfy { $0.verdict == .undetermined })
    // Without a known entry point only a path that needs nothing has a verdict.
    #expect(policy.judged(path([:]), old).verdict == .undetermined)
    #expect(policy.judged(path([:]), Self.facts { $0.affected = false }).verdict == .adequate)
    #expect(Verdict.worst(of: []) == .undetermined)
  }

  // MARK: The other policies

  @Test("long if, and only if, BHI_CTRL is shown; the third one wants it in every guest too")
  func others() throws {
    let control = try #require(policies.first { $0.id == "bhi-ctrl" })
    let either = try #require(policies.first { $0.id == "bhi-ctrl-or-hypervisor" })
    let shown = Self.facts { $0.showsBHIControl = true }
    for policy in [control, either] {
      #expect(judge(Self.short, shown, by: policy) == (.long, .inadequate))
      #expect(judge(Self.short, Self.facts(), by: policy) == (.shortOrLong, .adequate))
      #expect(judge(Self.only(.off), Self.facts(), by: policy) == (.shortOrLong, .inadequate))
    }
    #expect(judge(Self.short, Self.guest(), by: control) == (.shortOrLong, .adequate))
    #expect(judge(Self.long, Self.guest(), by: control) == (.shortOrLong, .excessive))
    #expect(judge(Self.short, Self.guest(.shortAdequate), by: either) == (.long, .inadequate))
  }

  @Test("the three that are shipped have ids of their own, a source, and a row for everything")
  func shipped() {
    #expect(policies.map(\.id) == ["default", "bhi-ctrl", "bhi-ctrl-or-hypervisor"])
    for policy in policies {
      #expect(!policy.source.isEmpty && !policy.title.isEmpty)
      #expect(policy.rows.allSatisfy { !$0.reason.isEmpty })
      for facts in [Self.facts(), Self.guest(), Self.guest(.shortAdequate)] {
        for point in EntryPoint.allCases {
          #expect(policy.row(for: facts, at: point, Self.short) != nil)
        }
      }
    }
  }

  @Test("a policy of the user's is refused where a name in it is wrong")
  func refused() throws {
    func document(_ row: String) -> String {
      #"{"policies": [{"id": "x", "title": "", "source": "", "rows": [\#(row)]}]}"#
    }
    let right = #"{"when": {"guest": true}, "requires": "long", "reason": ""}"#
    #expect(try Self.decode(document(right).utf8).count == 1)
    for wrong in [
      #"{"when": {"gest": true}, "requires": "long", "reason": ""}"#,
      #"{"when": {}, "requires": "longer", "reason": ""}"#,
      #"{"when": {}, "requires": "long", "reason": "", "unprooven": true}"#,
      #"{"when": {"entry_points": ["sysret"]}, "requires": "long", "reason": ""}"#,
    ] {
      #expect(throws: DecodingError.self) { try Self.decode(document(wrong).utf8) }
    }
    // Where no row holds, nothing is known to suffice.
    let narrow = try #require(try Self.decode(document(right).utf8).first)
    #expect(judge(Self.long, Self.facts(), by: narrow) == (nil, .undetermined))
  }
}
