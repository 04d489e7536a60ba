internal import KernelImage
internal import Mitigation

extension SiteFinder {
  /// The entry points that the kernel has and that no site belongs to, and those for which it could
  /// not be told.
  func absent(
    _ present: [EntryPoint], _ modules: [KernelModule]
  ) -> (missing: [EntryPoint], unknown: [EntryPoint]) {
    var missing: [EntryPoint] = []
    var unknown: [EntryPoint] = []
    // Only exported symbols are in __ksymtab, and no entry point is.
    let hasEntrySymbols = [.symtab, .kallsyms, .systemMap].contains(kernel.symbols.source)
    for expected in ExpectedEntryPoint.inKernel where !present.contains(expected.entryPoint) {
      if !hasEntrySymbols {
        if !functions.isEmpty { unknown.append(expected.entryPoint) }
      } else if expected.symbols.contains(where: { kernel.symbols.address(of: $0) != nil }) {
        missing.append(expected.entryPoint)
      }
    }
    if !present.contains(.vmexit) {
      let symbols = ExpectedEntryPoint.vmexit.symbols
      let isBuiltIn = symbols.contains { kernel.symbols.address(of: $0) != nil }
      let isGiven = modules.contains { module in
        module.symbols.contains { $0.section != nil && symbols.contains($0.name) }
      }
      if isBuiltIn || isGiven {
        missing.append(.vmexit)
      } else if !functions.isEmpty, mayHaveModule {
        unknown.append(.vmexit)
      }
    }
    return (missing, unknown)
  }

  /// Whether KVM for Intel may be a module: the configuration says so, or there is none to ask.
  private var mayHaveModule: Bool {
    kernel.identity.configurationSource == nil || kernel.identity.option("CONFIG_KVM_INTEL") == "m"
  }
}
