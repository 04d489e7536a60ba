import Mitigation
import Testing

@testable import Inspection

@Suite("What sysfs claims")
struct SysfsClaimTests {
  private static let both = Set(AttackVector.allCases)
  private static let eibrs = "Mitigation: Enhanced / Automatic IBRS; IBPB: conditional; "

  @Test(
    "it is read as the kernel words it",
    arguments: [
      (eibrs + "BHI: SW loop, KVM: SW loop", both, "BHI: SW loop, KVM: SW loop"),
      (eibrs + "BHI: Vulnerable, KVM: SW loop", [.guestToHost], "BHI: Vulnerable, KVM: SW loop"),
      (eibrs + "BHI: BHI_DIS_S", both, "BHI: BHI_DIS_S"),
      ("Mitigation: Retpolines; BHI: Retpoline; PBRSB-eIBRS: x", both, "BHI: Retpoline"),
      (eibrs + "BHI: Vulnerable", [], "BHI: Vulnerable"),
      (eibrs + "BHI: Not affected", [], "BHI: Not affected"),
      (
        "Vulnerable; IBPB: disabled; BHI: SW loop, KVM: SW loop", both, "BHI: SW loop, KVM: SW loop"
      ),
      ("Vulnerable: eIBRS with unprivileged eBPF", [], ""),
      ("Vulnerable, IBPB: disabled, STIBP: disabled", [], ""),
      ("Not affected", [], ""),
      ("Mitigation: Enhanced IBRS, IBPB: conditional", both, "Mitigation: Enhanced IBRS"),
      ("", [], ""),
    ] as [(String, Set<AttackVector>, String)])
  func claims(line: String, mitigated: Set<AttackVector>, words: String) {
    let claim = SysfsClaim(line)
    #expect(claim.mitigated == mitigated)
    #expect(claim.words == words)
  }

  @Test("of the way back to user space it says nothing")
  func exitToUser() {
    let claim = SysfsClaim(Self.eibrs + "BHI: BHI_DIS_S")
    #expect(EntryPoint.allCases.filter { !claim.covers($0) } == [.exitToUser])
    let guests = SysfsClaim(Self.eibrs + "BHI: Vulnerable, KVM: SW loop")
    #expect(EntryPoint.allCases.filter { guests.covers($0) } == [.vmexit])
  }
}
