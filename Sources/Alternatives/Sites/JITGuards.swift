internal import KernelImage

/// The features under which the BPF JIT emits the sequence and IBHF into what it compiles.
///
/// Decoded, not executed: the JIT's code tests them by alternatives of its own, jumps that become
/// NOPs where the feature is there (_static_cpu_has(), arch/x86/include/asm/cpufeature.h), in front
/// of the reference to the sequence and behind it (emit_spectre_bhb_barrier(),
/// arch/x86/net/bpf_jit_comp.c).
public struct JITGuards: Sendable, Hashable {
  /// The feature that the sequence hangs on.
  public var sequence: Int
  /// With that feature and this one, IBHF follows the sequence; nil: it never does.
  public var fenceBehindSequence: Int?
  /// With this feature IBHF is emitted, also without the sequence; nil: there is none.
  public var fence: Int?
}

extension SiteFinder {
  /// What the JIT's function tests around its first reference, which lies at `reference`; nil if it
  /// is not tested in the way that is known.
  func jitGuards(at reference: UInt64) -> JITGuards? {
    guard let symbol = kernel.symbols.nearest(to: reference) else { return nil }
    let start = reference - symbol.offset
    let end = kernel.symbols.end(of: start) ?? reference &+ 4096
    let tests = featureTests(in: start..<max(end, reference))
    // The test stands just in front of what it guards.
    guard let first = tests.lastIndex(where: { $0.site < reference && reference - $0.site < 64 })
    else { return nil }
    var guards = JITGuards(sequence: tests[first].feature)
    guard emitsFence(in: start..<end) else { return guards }
    // (sequence && hypervisor) || other
    let behind = tests[(first + 1)...].map(\.feature)
    if behind.count >= 2, behind[0] == guards.sequence {
      guards.fenceBehindSequence = behind[1]
      guards.fence = behind.dropFirst(2).first
    } else {
      guards.fence = behind.first
    }
    return guards
  }

  /// The features that code in `range` tests by alternatives, by address: at one site an entry that
  /// is always applied (a jump) and one that takes the jump out again.
  private func featureTests(in range: Range<UInt64>) -> [(site: UInt64, feature: Int)] {
    let entries = table.entries.filter { range.contains($0.site) }
    return entries.compactMap { entry in
      guard entry.replacementLength == 0, !entry.negated,
        entries.contains(where: { $0.site == entry.site && $0.replacementLength == 5 })
      else { return nil }
      return (entry.site, entry.feature)
    }
    .sorted { $0.site < $1.site }
  }

  /// Whether the code holds IBHF's last four bytes as a constant to be written; the first is
  /// written by itself.
  private func emitsFence(in range: Range<UInt64>) -> Bool {
    guard let bytes = kernel.bytes(at: range.lowerBound, count: range.count), bytes.count >= 4
    else {
      return false
    }
    // f3 48 0f 1e f8
    let wanted = UInt32(littleEndian: 0xf81e_0f48)
    return (0...(bytes.count - 4)).contains {
      bytes.loadUnaligned(fromByteOffset: $0, as: UInt32.self) == wanted
    }
  }
}
