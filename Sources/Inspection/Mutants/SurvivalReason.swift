import KernelImage
import Mitigation

extension MutantRemainder {
  /// Why it has the same outcome on every path by construction; nil if that is not known.
  ///
  /// - Parameter choice: the bits of memory that the choice is read from.
  func reason(_ choice: [UInt64: UInt8]) -> MutantResult.Reason? {
    guard isReached else { return .notReached }
    guard !changesControl, bits.allSatisfy({ $0.value & (choice[$0.key] ?? 0) == 0 }) else {
      return nil
    }
    return bits.isEmpty && !changesRegisters && !changesLog ? .sameState : .elsewhere
  }

  /// What it changes, for people; nil if that is nothing.
  func detail(_ kernel: KernelImage) -> String? {
    var names: [String] = []
    for byte in bits.keys.sorted() {
      let name = kernel.symbols.nearest(to: byte)?.name ?? hexadecimal(byte)
      if !names.contains(name) { names.append(name) }
    }
    let shown = 6
    var parts: [String] = []
    if !names.isEmpty {
      parts.append(
        names.prefix(shown).joined(separator: ", ")
          + (names.count > shown ? " and \(names.count - shown) more" : ""))
    }
    if changesControl { parts.append("SPEC_CTRL or static calls") }
    if changesRegisters { parts.append("writes of other MSRs") }
    if changesLog { parts.append("lines of the log") }
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
  }
}
