import BootMachine
import Alternatives
import KernelImage
import Mitigation

extension MutantMaker {
  /// The alternatives entries of sites and of the sequence, and their replacements.
  mutating func changeTable() {
    guard let layout = analysis.table.layout else { return }
    let patched = Set(program.patchedEntries)
    for entry in analysis.table.entries where patched.contains(entry.address) {
      change(entry, layout)
      changeReplacement(of: entry)
    }
  }

  private mutating func change(_ entry: AlternativeEntry, _ layout: AlternativesLayout) {
    guard let raw = kernel.bytes(at: entry.address, count: layout.stride) else { return }
    let bytes = Array(raw)
    let site = place(entry.site)
    func texts(_ other: AlternativeEntry) -> (String, String) { (describe(entry), describe(other)) }
    func encode(_ other: AlternativeEntry) -> [UInt8]? {
      // An entry whose own encoding differs holds something that is not known here.
      layout.encoded(entry) == bytes ? layout.encoded(other) : nil
    }
    var removed = entry
    removed.originalLength = 0
    removed.replacementLength = 0
    if let changed = encode(removed) {
      add(
        .entryRemoved, at: entry.address, bytes, changed, "Nothing is patched at \(site).",
        texts: texts(removed), isData: true)
    }
    var other = entry
    other.feature += entry.feature % 32 == 31 ? -1 : 1
    if let changed = encode(other) {
      add(
        .featureChanged, at: entry.address, bytes, changed,
        "\(site) is patched by feature \(Self.number(other.feature)) in place of "
          + "\(Self.number(entry.feature)).", texts: texts(other), isData: true)
    }
    var negated = entry
    negated.negated.toggle()
    if let changed = encode(negated) {
      add(
        .entryNegated, at: entry.address, bytes, changed,
        "\(site) is patched when it should not be, and the other way round.",
        texts: texts(negated), isData: true)
    }
  }

  /// What the kernel copies to a site.
  private mutating func changeReplacement(of entry: AlternativeEntry) {
    guard let raw = kernel.bytes(at: entry.replacement, count: entry.replacementLength) else {
      return
    }
    let site = place(entry.site)
    for instruction in decoder.decode(raw, at: entry.replacement) {
      let bytes = Array(raw[instruction.range])
      switch instruction.kind {
      case .fence:
        add(
          .fenceRemoved, at: instruction.address, bytes, Padding.nops(bytes.count),
          "What is patched in at \(site) has no LFENCE.", isData: true)
      case .call(let target?):
        add(
          .callDropped, at: instruction.address, bytes, Padding.nops(bytes.count),
          "What is patched in at \(site) does not call \(place(target)).", isData: true)
        // To where the function returns: a sequence that does nothing.
        if let function = analysis.functions.functions.first(where: { $0.address == target }),
          let last = function.returns.last?.address.value, bytes.count == 5,
          let changed = call(last, from: instruction.address)
        {
          add(
            .callRedirected, at: instruction.address, bytes, changed,
            "What is patched in at \(site) calls the end of \(place(target)).", isData: true)
        }
      default: changeSequence(instruction, isData: true)
      }
    }
  }

  private func describe(_ entry: AlternativeEntry) -> String {
    "site \(name(of: entry.site) ?? hexadecimal(entry.site)), \(entry.negated ? "not " : "")feature "
      + "\(Self.number(entry.feature)), lengths \(entry.originalLength) and "
      + "\(entry.replacementLength)"
  }

  private static func number(_ feature: Int) -> String { "\(feature / 32)*32+\(feature % 32)" }
}
