public import Alternatives
public import KernelImage
public import Mitigation

/// Measures every variant of its sequence that an image shows without being booted.
public enum SequenceMeasurement {
  /// The variants of all functions of the sequence, each as a run of it in the emulator counted
  /// them.
  ///
  /// What only boot code computes is not among them: boot paths add that.
  public static func variants(
    of analysis: StaticAnalysis, in kernel: KernelImage
  ) throws(MachineError) -> [SequenceVariant] {
    guard !analysis.functions.isEmpty else { return [] }
    let machine = try SequenceMachine(kernel)
    var variants: [SequenceVariant] = []
    for function in analysis.functions.functions {
      let name = analysis.functions.functions.count > 1 ? function.symbol : nil
      for choice in choices(of: function, analysis, kernel) {
        let label = [name, choice.selectedBy].compactMap { $0 }.joined(separator: ": ")
        variants.append(
          try machine.measure(
            function, patches: choice.patches, loads: choice.loads, selectedBy: label))
      }
    }
    return variants
  }

  /// One way for a function to run.
  private struct Choice {
    var patches: [(address: UInt64, bytes: [UInt8])] = []
    var loads: [Replacement.Load] = []
    var selectedBy: String
  }

  private static func choices(
    of function: SequenceFunction, _ analysis: StaticAnalysis, _ kernel: KernelImage
  ) -> [Choice] {
    switch function.shape {
    case .caller: return callers(of: function, analysis)
    case .variable:
      let initial = Choice(selectedBy: "the values in the image")
      return [initial] + stores(to: function.variables, in: kernel)
    default:
      guard !function.alternatives.isEmpty else { return [Choice(selectedBy: "always")] }
      return [Choice(selectedBy: "before alternatives are applied")]
        + replacements(in: function, analysis, kernel)
    }
  }

  /// The loop counts that sites load before they call.
  private static func callers(
    of function: SequenceFunction, _ analysis: StaticAnalysis
  ) -> [Choice] {
    var choices: [Choice] = []
    for found in analysis.survey.sites {
      guard let replacement = found.replacement, replacement.target == function.address,
        !replacement.loads.isEmpty
      else { continue }
      let name = found.site.entryPoint?.rawValue ?? found.site.symbol ?? "a site"
      if let same = choices.firstIndex(where: { $0.loads == replacement.loads }) {
        choices[same].selectedBy += ", \(name)"
      } else {
        choices.append(
          Choice(loads: replacement.loads, selectedBy: "the counts that the caller loads: \(name)"))
      }
    }
    return choices
  }

  /// The alternatives inside the function. All that hang on one feature are patched together.
  private static func replacements(
    in function: SequenceFunction, _ analysis: StaticAnalysis, _ kernel: KernelImage
  ) -> [Choice] {
    var choices: [Choice] = []
    for entry in function.alternatives {
      guard entry.replacementLength <= entry.originalLength,
        let bytes = kernel.bytes(at: entry.replacement, count: entry.replacementLength)
      else { continue }
      // What a replacement leaves of its site becomes NOPs (arch/x86/kernel/alternative.c).
      let padding = repeatElement(UInt8(0x90), count: entry.originalLength - bytes.count)
      let patch = (address: entry.site, bytes: Array(bytes) + padding)
      let feature = analysis.features.reference(entry.feature, use: .inside)
      let condition = (entry.negated ? "not " : "") + feature.description
      if let same = choices.firstIndex(where: { $0.selectedBy == condition }) {
        choices[same].patches.append(patch)
      } else {
        choices.append(Choice(patches: [patch], selectedBy: condition))
      }
    }
    return choices
  }

  /// Constants that code of the image stores into the count variables: one choice for each function
  /// that does so.
  private static func stores(
    to variables: [CountVariable], in kernel: KernelImage
  ) -> [Choice] {
    var byFunction: [(name: String, patches: [(address: UInt64, bytes: [UInt8])])] = []
    for variable in variables where variable.size == 1 {
      for store in ByteStores.all(to: variable.address, in: kernel) {
        let name = kernel.symbols.nearest(to: store.address)?.name ?? "unknown code"
        let patch = (address: variable.address, bytes: [store.value])
        if let index = byFunction.firstIndex(where: {
          $0.name == name && !$0.patches.contains { $0.address == variable.address }
        }) {
          byFunction[index].patches.append(patch)
        } else {
          byFunction.append((name, [patch]))
        }
      }
    }
    return byFunction.map { Choice(patches: $0.patches, selectedBy: "stored by \($0.name)") }
  }
}
