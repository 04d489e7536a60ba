import KernelImage
import Mitigation

extension MutantRemainder {
  /// Why it has the same outcome on every path by construction; nil if that is not known.
  ///
  /// - Parameter choice: the bytes of memory that the choice is read from.
  func reason(_ choice: Set<UInt64>) -> MutantResult.Reason? {
    guard isReached else { return .notReached }
    guard !changesHardware, bytes.isDisjoint(with: choice) else { return nil }
    return bytes.isEmpty && !changesLog ? .sameState : .elsewhere
  }

  /// What it changes, for people; nil if that is nothing.
  func detail(_ kernel: KernelImage) -> String? {
    var names: [String] = []
    for byte in bytes.sorted() {
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
    if changesHardware { parts.append("MSR writes or static calls") }
    if changesLog { parts.append("lines of the log") }
    return parts.isEmpty ? nil : parts.joined(separator: "; ")
  }
}
