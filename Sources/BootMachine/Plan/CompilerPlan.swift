internal import Alternatives
internal import KernelImage
internal import Mitigation

/// What the BPF JIT puts at the end of a classic program of an unprivileged user
/// (arch/x86/net/bpf_jit_comp.c, emit_spectre_bhb_barrier()).
///
/// It is not run: that takes a program. Which features it asks for is read from its code.
struct CompilerPlan: Sendable {
  /// The number of the feature under which it emits a call of the sequence; nil if that is unknown.
  let feature: Int?
  /// Whether it emits IBHF too, where it is in a guest.
  let addsFenceInGuests: Bool
  private let symbol: String

  /// How what it does is known, for people.
  var narrowed: String {
    "\(symbol) is not run: what it emits is read from the features that it asks for"
  }

  init?(_ kernel: KernelImage, table: AlternativesTable, sites: [Site]) {
    guard let site = sites.first(where: { $0.kind == .jit }) else { return nil }
    feature = site.feature?.number
    let nearest = kernel.symbols.nearest(to: site.address.value)
    symbol = nearest?.name ?? "the BPF JIT"
    let start = site.address.value &- (nearest?.offset ?? 0)
    let end = kernel.symbols.end(of: start) ?? site.address.value
    guard start < end, end - start <= 1 << 20,
      let code = kernel.bytes(at: start, count: Int(end - start))
    else {
      addsFenceInGuests = false
      return
    }
    let asksForHypervisor = table.entries.contains {
      (start..<end).contains($0.site) && $0.feature == Capabilities.hypervisorBit
    }
    addsFenceInGuests = asksForHypervisor && Self.emitsFence(code)
  }

  /// Whether code stores the bytes of IBHF, f3 48 0f 1e f8, of which four are one immediate.
  private static func emitsFence(_ code: UnsafeRawBufferPointer) -> Bool {
    guard code.count >= 4 else { return false }
    return (0...(code.count - 4)).contains { offset in
      let value = UInt32(littleEndian: code.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
      return value == 0xf81e_0f48 || value == 0x1e0f_48f3
    }
  }
}
