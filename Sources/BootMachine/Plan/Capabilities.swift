internal import KernelImage
internal import Mitigation

/// Where the kernel keeps the boot CPU's feature and bug bits.
struct Capabilities: Sendable {
  /// The address of `boot_cpu_data.x86_capability`.
  let address: UInt64
  /// Its 32-bit words, features and bugs together (NCAPINTS + NBUGINTS).
  let words: Int
  /// The bit of X86_BUG_BHI; nil if this kernel has no such bug.
  let affectedBit: Int?
  /// How the place is known.
  let basis: String
  /// The bit of X86_FEATURE_HYPERVISOR: CPUID.1:ECX[31], word 4 of the array
  /// (arch/x86/include/asm/cpufeatures.h).
  static let hypervisorBit = 4 * 32 + 31

  /// - Parameters:
  ///   - offset: of x86_capability in struct cpuinfo_x86.
  ///   - words: of the array; nil if unknown.
  ///   - basis: how the offset is known.
  init?(_ kernel: KernelImage, offset: Int, words: Int?, basis: String) {
    guard let data = kernel.symbols.address(of: "boot_cpu_data"), offset >= 0 else { return nil }
    let featureWords = Self.pointerCount(of: "x86_cap_flags", in: kernel).map { $0 / 32 }
    let bugs = Self.pointerCount(of: "x86_bug_flags", in: kernel)
    let total = words ?? featureWords.flatMap { features in bugs.map { features + $0 / 32 } }
    guard let total, total > 21, total <= 64 else { return nil }
    address = data &+ UInt64(offset)
    self.basis = basis
    self.words = total
    // Bugs follow the features, so their words are the last ones.
    affectedBit = bugs.flatMap { bugs in
      guard let table = kernel.symbols.address(of: "x86_bug_flags") else { return nil }
      for number in 0..<min(bugs, total * 32) {
        guard let name = kernel.read(UInt64.self, at: table &+ UInt64(number * 8)), name != 0
        else { continue }
        if kernel.cString(at: name, limit: 16) == "bhi" { return (total - bugs / 32) * 32 + number }
      }
      return nil
    }
  }

  /// The number of a feature by the name that /proc/cpuinfo shows; nil if the kernel does not know
  /// it (`x86_cap_flags`, arch/x86/kernel/cpu/capflags.c).
  static func feature(named name: String, in kernel: KernelImage) -> Int? {
    guard let table = kernel.symbols.address(of: "x86_cap_flags"),
      let count = pointerCount(of: "x86_cap_flags", in: kernel)
    else { return nil }
    return (0..<count).first { number in
      guard let text = kernel.read(UInt64.self, at: table &+ UInt64(number * 8)), text != 0
      else { return false }
      return kernel.cString(at: text, limit: 32) == name
    }
  }

  /// The elements of an array of pointers: its size as far as the next symbol, or the table ends
  /// where its last known name does.
  private static func pointerCount(of symbol: String, in kernel: KernelImage) -> Int? {
    guard let start = kernel.symbols.address(of: symbol),
      let end = kernel.symbols.end(of: start), end > start
    else { return nil }
    // Both arrays have 32 elements a word; padding up to the next symbol is less than that.
    let words = Int(min(end - start, 1 << 16)) / 8 / 32
    return words > 0 ? words * 32 : nil
  }
}
