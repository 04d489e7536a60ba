internal import KernelImage
internal import Mitigation

extension OutcomeReader {
  /// Everything the boot showed, for `--explain`.
  func trace(
    blocks: [BlockRun], sequence: SequenceVariant?, siteTexts: [String]
  ) -> Trace {
    let kernel = program.kernel
    var trace = Trace()
    var seen: Set<UInt64> = []
    for block in blocks where seen.insert(block.address).inserted {
      if let (name, offset) = kernel.symbols.nearest(to: block.address), offset == 0 {
        trace.functions.append(name)
      }
    }
    trace.cpuid = Self.withoutRepetition(state.cpuidQueries).map { query in
      CPUIDAccess(
        leaf: query.leaf, subleaf: query.subleaf, eax: query.answer.eax, ebx: query.answer.ebx,
        ecx: query.answer.ecx, edx: query.answer.edx)
    }
    trace.msrs = Self.withoutRepetition(aftermath.msrs).map {
      MSRAccess(kind: $0.isRead ? .read : .write, index: Hex32($0.index), value: $0.value)
    }
    trace.log = lines
    trace.warnings = state.warnings.map { $0.text(in: kernel) }
    trace.staticCalls = state.staticCalls.map {
      StaticCallUpdate(key: kernel.describe($0.key), target: kernel.describe($0.target))
    }
    trace.sites = zip(aftermath.sites, siteTexts).map { site, text in
      PatchedSite(
        entryPoint: site.planned.site.entryPoint, address: site.planned.site.address.value,
        symbol: site.planned.symbol, bytes: HexBytes(site.bytes), text: text,
        runsSequence: site.target != nil)
    }
    trace.sequence = sequence
    trace.blocks = state.blocks
    trace.skippedInstructions = state.skipped.sorted().map {
      "\(program.plan.skipped[$0].name): \(program.plan.skipped[$0].reason)"
    }
    return trace
  }

  private static func withoutRepetition<Element: Hashable>(_ elements: [Element]) -> [Element] {
    var seen: Set<Element> = []
    return elements.filter { seen.insert($0).inserted }
  }
}
