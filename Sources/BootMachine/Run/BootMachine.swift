internal import Alternatives
internal import CUnicorn
internal import Mitigation

/// Runs boot paths of one image, one after the other.
///
/// One thread creates, runs and frees it.
public struct BootMachine: ~Copyable {
  let program: BootProgram
  let machine: Machine
  var variants = VariantCache()

  /// - Parameter watchesMemory: whether records of paths hold the memory that the kernel read and
  ///   wrote; that takes several times as long.
  public init(_ program: BootProgram, watchesMemory: Bool = false) throws(MachineError) {
    machine = try Machine(program.image, watchesMemory: watchesMemory)
    self.program = program
  }

  deinit { program.add(machine.state.seen.blocks) }

  /// Boots the image as far as its decision, lets it patch its sites, and runs what it chose.
  ///
  /// - Throws: only if the path cannot be begun (a command line that does not fit). What goes wrong
  ///   on the way makes the outcome undetermined.
  public mutating func run(_ request: BootRequest) throws(MachineError) -> BootResult {
    try machine.prepare(
      request.processor, commandLine: Array(request.commandLine.utf8), patches: request.patches)
    machine.state.blockLimit = request.blockLimit ?? MachineState.blockLimit
    machine.state.recorder = request.wantsRecord ? PathRecorder() : nil
    machine.state.isTracing = request.wantsTrace
    if request.wantsReads { machine.state.reads.begin() }
    var failure = boot()
    let bootTrace = machine.state.trace
    machine.state.isTracing = false
    machine.state.reads.end()
    let course = machine.state.courseWithLog
    // All the rest shows what the decision led to. What boot code did is settled by now.
    var aftermath = Aftermath(log: machine.state.log, msrs: machine.state.msrAccesses)
    let bootState = request.wantsState ? BootState(machine) : nil
    machine.state.recorder?.phase = .showing
    for (address, bits) in request.flipped {
      guard let byte = machine.memory.read(UInt8.self, at: address) else { continue }
      _ = machine.memory.write(byte ^ bits, at: address)
    }
    let paused = failure == nil && !request.late.isEmpty ? machine.pause() : nil
    if failure == nil { failure = readState(request, &aftermath) }
    machine.state.recorder?.phase = .patching
    if failure == nil { failure = patch() }
    if failure == nil { failure = readSites(&aftermath) }
    var late: LateResult?
    if failure == nil, let paused { late = runLate(request, after: paused, &aftermath) }
    let reader = OutcomeReader(program: program, state: machine.state, aftermath: aftermath)
    var result = reader.result(failure: failure, processor: request.processor)
    result.late = late
    if request.wantsReads { result.reads = machine.state.reads.reads }
    result.course = course
    result.blocks = machine.state.blocks
    if case .blockLimit = failure { result.ranTooLong = true }
    if request.wantsTrace {
      result.outcome.trace = reader.trace(
        blocks: bootTrace, sequence: result.sequence, siteTexts: aftermath.sites.map { text($0) })
    }
    result.siteVariants = aftermath.sites.map(\.variant)
    if request.wantsCode, failure == nil { result.code = patchedCode(aftermath.sites) }
    result.record = machine.state.record
    result.state = bootState
    return result
  }

  private func boot() -> Failure? {
    for call in program.plan.chain {
      if let failure = machine.call(call) { return failure }
    }
    return nil
  }

  /// Reads off what the kernel decided: its features, and what it says of itself.
  func readState(_ request: BootRequest, _ aftermath: inout Aftermath) -> Failure? {
    aftermath.capabilities = readCapabilities()
    if let failure = show(program.plan.spectreV2, into: &aftermath.sysfs) { return failure }
    return request.wantsVulnerabilities ? showAll(into: &aftermath.vulnerabilities) : nil
  }

  /// Reads off what the sites run, and runs it.
  mutating func readSites(_ aftermath: inout Aftermath) -> Failure? {
    aftermath.sites = patchedSites()
    return runSequences(&aftermath)
  }

  func readCapabilities() -> [UInt32]? {
    guard let capabilities = program.capabilities,
      let bytes = machine.memory.bytes(
        at: capabilities.address, count: capabilities.words * MemoryLayout<UInt32>.size)
    else { return nil }
    return (0..<capabilities.words).map {
      bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)
    }
  }

  /// Calls a cpu_show_* function: (device, attribute, page), of which only the page is used
  /// (drivers/base/cpu.c, arch/x86/kernel/cpu/bugs.c).
  private func show(_ function: BootPlan.Call?, into line: inout String?) -> Failure? {
    guard let function else { return nil }
    let page = machine.memory.map.page.guest
    guard machine.memory.write(UInt8(0), at: page) else { return nil }
    if let failure = machine.call(function, [0, 0, page]) { return failure }
    let text = String(decoding: machine.state.cString(at: page, limit: 4096), as: UTF8.self)
    line = text.hasSuffix("\n") ? String(text.dropLast()) : text
    return nil
  }

  private func showAll(into lines: inout [String: String]) -> Failure? {
    for function in program.plan.vulnerabilities {
      var line: String?
      if let failure = show(function, into: &line) { return failure }
      lines[function.name] = line
    }
    return nil
  }

  /// Lets the kernel's own code patch the sites, the sequence's counts and its returns.
  private func patch() -> Failure? {
    if let failure = patch(program.sites.inside) { return failure }
    for site in program.sites.sites where !site.isModule {
      if let failure = patch(site.entries) { return failure }
    }
    if let failure = patchModules() { return failure }
    // Kernels without return thunks have neither the function nor the table.
    guard let function = program.plan.applyReturns else { return nil }
    let call = BootPlan.Call(name: "apply_returns", address: function)
    for place in program.sites.returns {
      if let failure = machine.call(call, [place, place &+ 4]) { return failure }
    }
    return nil
  }

  /// Lays the sites of modules out and patches them, as the kernel does when it loads one.
  func patchModules() -> Failure? {
    for (address, bytes) in program.sites.moduleBytes {
      guard machine.memory.write(bytes, at: address) else {
        return .missing("a module's site does not fit into the guest")
      }
    }
    for site in program.sites.sites where site.isModule {
      if let failure = patch(site.entries) { return failure }
    }
    return nil
  }

  private func patch(_ entries: [UInt64]) -> Failure? {
    guard !entries.isEmpty else { return nil }
    guard let function = program.plan.applyAlternatives else {
      return .missing("the image has no symbol apply_alternatives")
    }
    let call = BootPlan.Call(name: "apply_alternatives", address: function)
    for entry in entries {
      let end = entry &+ UInt64(program.sites.entrySize)
      if let failure = machine.call(call, [entry, end]) { return failure }
    }
    return nil
  }

  /// What stands at each site now.
  private func patchedSites() -> [PatchedSequenceSite] {
    let functions = program.sites.functions
    return program.sites.sites.map { planned in
      guard let bytes = machine.memory.bytes(at: planned.address, count: planned.length) else {
        return PatchedSequenceSite(planned: planned, bytes: [], target: nil)
      }
      return PatchedSequenceSite(
        planned: planned, bytes: Array(bytes),
        target: functions.target(ofCode: bytes, at: planned.address, machine.state.decoder))
    }
  }

  /// The code of the sequence and of the sites that are in vmlinux itself.
  private func patchedCode(_ sites: [PatchedSequenceSite]) -> [PatchedCode] {
    let functions = program.sites.functions.functions.compactMap { function in
      machine.memory.bytes(at: function.address, count: function.size).map {
        PatchedCode(
          name: function.symbol, isSite: false, address: function.address, bytes: Array($0))
      }
    }
    return functions
      + sites.filter { !$0.planned.isModule }.map { site in
        PatchedCode(
          name: site.planned.site.entryPoint?.rawValue ?? site.planned.symbol, isSite: true,
          address: site.planned.address, bytes: site.bytes)
      }
  }

  /// A patched site's code in words.
  private func text(_ site: PatchedSequenceSite) -> String {
    let kernel = program.kernel
    return site.bytes.withUnsafeBytes { bytes in
      machine.state.decoder.text(of: bytes, at: site.planned.address) { instruction in
        instruction.target.map(kernel.describe)
      }
    }
  }

  /// Runs each site that was patched to run the sequence, or the sequence by itself if none was.
  private mutating func runSequences(_ aftermath: inout Aftermath) -> Failure? {
    let functions = program.sites.functions
    for index in aftermath.sites.indices {
      let planned = aftermath.sites[index].planned
      guard let target = aftermath.sites[index].target,
        let function = functions.starting(at: target)
      else { continue }
      let end = planned.address &+ UInt64(planned.length)
      let call = BootPlan.Call(name: planned.symbol, address: planned.address, until: end)
      switch measure(function, by: call, site: planned.address..<end) {
      case .success(let variant): aftermath.sites[index].variant = variant
      case .failure(let error): return error.failure
      }
    }
    aftermath.sequence = aftermath.sites.lazy.compactMap(\.variant).first
    // Without a caller that loads the counts such a function would loop for ever.
    if aftermath.sequence == nil, let function = functions.primary, function.shape != .caller {
      let call = BootPlan.Call(name: function.symbol, address: function.address)
      switch measure(function, by: call, site: nil) {
      case .success(let variant): aftermath.sequence = variant
      case .failure(let error): return error.failure
      }
    }
    return nil
  }

  private struct MeasureError: Error { var failure: Failure }

  /// Runs `call`, which runs `function`, and reads off what was executed.
  private mutating func measure(
    _ function: SequenceFunction, by call: BootPlan.Call, site: Range<UInt64>?
  ) -> Result<SequenceVariant, MeasureError> {
    let state = machine.state
    let stop = machine.memory.map.stop.guestRange
    state.trace.removeAll(keepingCapacity: true)
    state.isTracing = true
    defer { state.isTracing = false }
    if let failure = machine.call(call) {
      // A site that jumps to the sequence returns to its caller's caller: to the stop page.
      guard case .astray(_, let place) = failure, stop.contains(place) else {
        return .failure(MeasureError(failure: failure))
      }
    }
    let code = machine.memory.bytes(at: function.address, count: function.size)
    // A barrier at the site counts too.
    let siteCode =
      site.flatMap { machine.memory.bytes(at: $0.lowerBound, count: $0.count) }
      ?? .init(start: nil, count: 0)
    return .success(
      variants.variant(of: state.trace, code: (code.map { Array($0) } ?? []) + siteCode) {
        let run = SequenceRun(
          state.trace, end: call.until ?? stop.lowerBound, site: site, decoder: state.decoder,
          code: { machine.memory.bytes(at: $0, count: $1).map { Array($0) } })
        return run.variant(of: function, selectedBy: "boot path")
      })
  }
}

/// What the machine saw after the kernel's decision.
struct Aftermath {
  var log: [[UInt8]]
  var msrs: [MSRRecord]
  var capabilities: [UInt32]?
  var sysfs: String?
  var vulnerabilities: [String: String] = [:]
  var sites: [PatchedSequenceSite] = []
  var sequence: SequenceVariant?
}

/// A site after patching: its bytes, what they run, and what that run measured.
struct PatchedSequenceSite {
  var planned: PlannedSite
  var bytes: [UInt8]
  /// The function of the sequence that it runs; nil: none.
  var target: UInt64?
  var variant: SequenceVariant?
}

/// Variants by the run that showed them, so that the same run is decoded once.
struct VariantCache {
  private struct Key: Hashable {
    var trace: [BlockRun]
    var code: [UInt8]
  }
  private var known: [Key: SequenceVariant] = [:]

  mutating func variant(
    of trace: [BlockRun], code: [UInt8], _ make: () -> SequenceVariant
  ) -> SequenceVariant {
    let key = Key(trace: trace, code: code)
    if let variant = known[key] { return variant }
    let variant = make()
    known[key] = variant
    return variant
  }
}
