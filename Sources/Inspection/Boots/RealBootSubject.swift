import Alternatives
public import BootMachine
public import KernelImage
public import Mitigation

/// An image whose boot paths are held against real boots.
public final class RealBootSubject: Sendable {
  public let path: String
  public let kernel: KernelImage
  let program: BootProgram
  let line: EffectiveCommandLine

  /// Errors: `library` if the emulator or the disassembler cannot be used, or the image cannot be
  /// run at all.
  public init(_ subject: MutationSubject) throws(ImageError) {
    path = subject.path
    kernel = subject.kernel
    line = EffectiveCommandLine(subject.kernel.identity)
    do {
      let analysis = try StaticAnalysis(subject.kernel, modules: subject.modules)
      program = try BootProgram(subject.kernel, analysis)
    } catch {
      throw ImageError(.failedLibrary, "\(error)")
    }
  }

  /// Makes rows ready to be booted, in their order.
  public func prepared(_ rows: [Matrix.Row]) -> [PreparedBoot] {
    var worker = PathWorker(program)
    return rows.map { row in
      if let reason = row.environment.notShown { return PreparedBoot(row, skipped: reason) }
      guard isBootable(row) else {
        return PreparedBoot(row, skipped: "FRED does not exist in QEMU's emulation")
      }
      let result = worker.run(request(row.processor, row))
      if let reason = result.outcome.undeterminedBecause {
        return PreparedBoot(row, skipped: "undetermined: \(reason)")
      }
      guard let targets = targets(result) else {
        return PreparedBoot(row, skipped: "the image has no symbol rest_init")
      }
      return PreparedBoot(
        row: row,
        scenario: BootScenario(
          row, commandLine: line.passed(for: row.commandLine) + (suites.isEmpty ? "" : enabling)),
        targets: targets, result: result, skipped: nil)
    }
  }

  /// One row for each outcome: the first that has it and that QEMU can show.
  public func representatives(of rows: [Matrix.Row]) -> [Matrix.Row] {
    var worker = PathWorker(program)
    var seen: Set<ExpectedOutcome> = []
    return rows.filter { row in
      guard row.environment.notShown == nil else { return false }
      let result = worker.run(
        BootRequest(processor: row.processor, commandLine: line.text(for: row.commandLine)))
      return result.outcome.undeterminedBecause == nil && seen.insert(result.expected).inserted
    }
  }

  /// The places that run the sequence, and the alternatives inside it.
  public var sites: [Site] { program.allSites }

  /// What the decision table says of rows, in their order.
  public func results(of rows: [Matrix.Row], jobs: Int = 1) -> [BootResult] {
    PathRunner(jobs: jobs).results(rows, of: program)
  }

  /// Whether QEMU's emulation can show a row to this image.
  public func isBootable(_ row: Matrix.Row) -> Bool {
    row.environment.notShown == nil
      && !(program.knowsFRED && (row.processor.cpuid[7, 1]?.eax ?? 0) >> 17 & 1 != 0)
  }

  /// A request for the outcome, the code, and what ran.
  func request(_ processor: Processor, _ row: Matrix.Row) -> BootRequest {
    var request = BootRequest(processor: processor, commandLine: line.text(for: row.commandLine))
    request.wantsRecord = true
    request.wantsCode = true
    return request
  }

  /// Where the kernel asks the processor on a path, and what it patched there.
  private func targets(_ result: BootResult) -> BootTargets? {
    guard let end = kernel.symbols.address(of: "rest_init"), let record = result.record else {
      return nil
    }
    let ranges = record.blocks.map(\.range)
    return BootTargets(
      end: end, cpuid: places(of: Self.cpuid, in: ranges),
      rdmsr: places(of: Self.rdmsr, in: ranges),
      later: suites.flatMap { places(of: Self.cpuid, in: [$0]) + places(of: Self.rdmsr, in: [$0]) },
      memory: result.code.map { .init(address: $0.address, count: $0.bytes.count) })
  }

  private static let cpuid: [UInt8] = [0x0F, 0xA2]
  private static let rdmsr: [UInt8] = [0x0F, 0x32]

  /// Runs KUnit's suites also in a build that leaves them to the command line
  /// (CONFIG_KUNIT_DEFAULT_ENABLED).
  private let enabling = " kunit.enable=1"

  /// Functions of KUnit suites that this tool wrote, and what they ask through.
  private var suites: [Range<UInt64>] {
    let names = kernel.symbols.names(withPrefix: "bhb_kunit_")
    guard !names.isEmpty else { return [] }
    let asked = ["kvm_arch_para_hints", "kvm_arch_para_features", "__kvm_cpuid_base"]
    let addresses =
      names.map(\.address) + asked.flatMap { kernel.symbols.addresses(of: $0) }
    return addresses.compactMap { address in
      kernel.symbols.end(of: address).map { address..<$0 }
    }
  }

  /// The addresses of an instruction in code.
  ///
  /// Bytes that merely look like it do no harm: no instruction begins there, so nothing stops there.
  private func places(of instruction: [UInt8], in ranges: [Range<UInt64>]) -> [UInt64] {
    var found: Set<UInt64> = []
    for range in ranges where range.count >= instruction.count {
      guard let bytes = kernel.bytes(at: range.lowerBound, count: range.count) else { continue }
      for index in 0...(bytes.count - instruction.count)
      where bytes[index] == instruction[0] && bytes[index + 1] == instruction[1] {
        found.insert(range.lowerBound &+ UInt64(index))
      }
    }
    return found.sorted()
  }
}

/// A boot path with all that a real boot of it needs, or why there can be none.
public struct PreparedBoot: Sendable {
  public var row: Matrix.Row
  public var scenario: BootScenario?
  public var targets: BootTargets?
  /// What the decision table says of it.
  var result: BootResult?
  public var skipped: String?

  init(_ row: Matrix.Row, skipped: String) {
    self.row = row
    self.skipped = skipped
  }

  init(
    row: Matrix.Row, scenario: BootScenario, targets: BootTargets, result: BootResult,
    skipped: String?
  ) {
    self.row = row
    self.scenario = scenario
    self.targets = targets
    self.result = result
    self.skipped = skipped
  }
}
