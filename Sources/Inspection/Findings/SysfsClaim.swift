import Mitigation

/// What a kernel's line in /sys/devices/system/cpu/vulnerabilities/spectre_v2 claims about branch
/// history, read as it is worded (arch/x86/kernel/cpu/bugs.c, spectre_v2_show_state()).
struct SysfsClaim {
  /// The attack vectors that it says are mitigated.
  private(set) var mitigated: Set<AttackVector> = []
  /// The words that say so.
  private(set) var words = ""

  init(_ line: String) {
    // "BHI: SW loop, KVM: SW loop" stands among other parts, which semicolons separate.
    let parts = line.split(separator: ";").map { $0.drop { $0 == " " } }
    guard let part = parts.first(where: { $0.hasPrefix("BHI:") }) else {
      // Without such a part all that is said is about Spectre v2 as a whole.
      if line.hasPrefix("Mitigation") {
        mitigated = Set(AttackVector.allCases)
        // Before semicolons there were commas.
        words = String(line.prefix { $0 != ";" && $0 != "," })
      }
      return
    }
    words = String(part)
    let claims = part.dropFirst(4).split(separator: ",").map { $0.drop { $0 == " " } }
    for claim in claims {
      // What is said of KVM is said of entries from guests, the rest of all entries.
      if !claim.hasPrefix("KVM:") {
        if Self.isMitigation(claim) { mitigated = Set(AttackVector.allCases) }
      } else if Self.isMitigation(claim.dropFirst(4)) {
        mitigated.insert(.guestToHost)
      } else {
        mitigated.remove(.guestToHost)
      }
    }
  }

  private static func isMitigation(_ words: Substring) -> Bool {
    let words = words.drop { $0 == " " }
    // "Not affected" says that there is nothing to mitigate.
    return !words.hasPrefix("Vulnerable") && !words.hasPrefix("Not affected") && !words.isEmpty
  }

  /// Whether it claims that `entryPoint` is protected. On user space it says nothing.
  func covers(_ entryPoint: EntryPoint) -> Bool {
    entryPoint.entersKernel && mitigated.contains(entryPoint.vector)
  }
}
