public import KernelImage
public import Mitigation

/// Names for the numbers of features: what the image itself says, else what its use proves.
public struct FeatureNames: Sendable {
  /// What a feature was seen to decide.
  public enum Use: Sendable, Hashable {
    /// Whether the sequence runs at an entry point.
    case site(EntryPoint)
    /// What the sequence itself contains.
    case inside
  }

  /// A name that x86_cap_flags leaves out, since /proc/cpuinfo does not show the feature.
  struct Hint: Sendable {
    var number: Int
    var name: String
    /// Whether something that hangs on the feature shows that the number means this here.
    var isProven: @Sendable (Use) -> Bool
    /// Where number and name come from.
    var reason: String
  }

  /// Numbers change between kernels, so none of them counts without its proof.
  static let hints: [Hint] = [
    Hint(
      number: 21 * 32 + 1, name: "CLEAR_BHB_LOOP",
      isProven: { use in
        if case .site(let entryPoint) = use { return entryPoint.vector == .userToKernel }
        return false
      }, reason: "arch/x86/include/asm/cpufeatures.h: decides at the entries from user space"),
    Hint(
      number: 21 * 32 + 2, name: "BHI_CTRL", isProven: { $0 == .inside },
      reason: "arch/x86/include/asm/cpufeatures.h: the posted series exchanges the counts on it"),
    Hint(
      number: 21 * 32 + 4, name: "CLEAR_BHB_VMEXIT", isProven: { $0 == .site(.vmexit) },
      reason: "arch/x86/include/asm/cpufeatures.h; called CLEAR_BHB_LOOP_ON_VMEXIT at first"),
  ]

  private let flags: Range<UInt64>?
  private let kernel: KernelImage

  public init(_ kernel: KernelImage) {
    self.kernel = kernel
    // A 32-bit kernel has no sequence, so nobody asks for names of its features.
    let start = kernel.is64Bit ? kernel.symbols.address(of: "x86_cap_flags") : nil
    flags = start.flatMap { start in
      kernel.symbols.end(of: start).flatMap { start < $0 ? start..<$0 : nil }
    }
  }

  /// The name that /proc/cpuinfo shows, in upper case; nil if the kernel shows none.
  ///
  /// x86_cap_flags is an array of pointers to text (arch/x86/kernel/cpu/capflags.c).
  public func shown(_ number: Int) -> String? {
    guard let flags, number >= 0,
      UInt64(number) < (flags.upperBound - flags.lowerBound) / 8,
      let pointer = kernel.read(UInt64.self, at: flags.lowerBound + 8 * UInt64(number)),
      pointer != 0, let name = kernel.cString(at: pointer, limit: 64), !name.isEmpty,
      name.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
    else { return nil }
    return name.uppercased()
  }

  /// The number with its name, where the image or the use tells it.
  public func reference(_ number: Int, use: Use?) -> FeatureReference {
    let hint = use.flatMap { use in
      Self.hints.first { $0.number == number && $0.isProven(use) }?.name
    }
    return FeatureReference(number: number, name: shown(number) ?? hint)
  }
}
