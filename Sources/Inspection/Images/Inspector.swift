import Alternatives
import BootMachine
public import KernelImage
public import Mitigation

/// Looks at images and says what is in them.
public struct Inspector: Sendable {
  /// The boot paths to run; nil: none, only what the image itself shows.
  public var matrix: Matrix?
  public var runner: PathRunner
  /// What the boot paths are judged by; nil: they are not.
  public var policy: Policy?
  /// How to look for the bits that the build listens to; nil: not at all.
  public var discovery: Discovery?
  /// What to ask its KVM; nil: nothing.
  public var hosts: HostInspection?
  /// Whether reports hold the hash of the kernel: it takes longer than looking at it.
  public var hashes = false
  /// Modules that were given beside the image.
  public var modules: [Artefact.Member]
  /// A System.map that was given beside the image.
  public var systemMap: Artefact.Member?

  public init(
    matrix: Matrix?, runner: PathRunner = PathRunner(), policy: Policy? = nil,
    discovery: Discovery? = nil,
    modules: [Artefact.Member] = [], systemMap: Artefact.Member? = nil
  ) {
    self.matrix = matrix
    self.runner = runner
    self.policy = policy
    self.discovery = discovery
    self.modules = modules
    self.systemMap = systemMap
  }

  /// The report of one image; one that cannot be read gets a report with its error.
  public func report(on artefact: Artefact) -> ImageReport {
    var report = ImageReport(path: artefact.path)
    do throws(ImageError) {
      if let failure = artefact.failure { throw failure }
      try inspect(artefact, &report)
    } catch {
      report = ImageReport(path: artefact.path)
      report.error = ImageFailure(error)
    }
    do throws(ImageError) {
      try artefact.requireUnchanged()
      for member in modules + [systemMap].compactMap(\.self) {
        try member.contents.bytes.requireUnchanged()
      }
    } catch {
      // Half of one file and half of another were looked at, whatever came of it.
      report = ImageReport(path: artefact.path)
      report.error = ImageFailure(error)
    }
    return report
  }

  private func inspect(_ artefact: Artefact, _ report: inout ImageReport) throws(ImageError) {
    let kernel = try KernelImage(artefact, systemMap: systemMap)
    var modules: [KernelModule] = []
    for member in artefact.modules + self.modules { modules.append(try KernelModule(member)) }
    report.kernel = KernelIdentity(kernel)
    report.symbolsFrom = ImageReport.SymbolSource(rawValue: kernel.symbols.source.rawValue)
    report.notes = kernel.notes
    if hashes, let member = artefact.kernel {
      report.sha256 = try ContentHash.sha256(member.contents.bytes.raw)
    }
    do {
      let analysis = try StaticAnalysis(kernel, modules: modules)
      try describe(analysis, kernel, &report)
      let results = matrix.map { run($0, analysis, kernel, &report) } ?? []
      report.findings += CountFindings.findings(
        for: report.sequence?.variants ?? [], of: analysis.functions)
      if let matrix { judge(matrix, results, kernel, &report) }
      if let hosts {
        let host = hosts.report(on: kernel, modules: modules)
        report.findings += hosts.findings(on: host)
        report.host = host
      }
    } catch let error as DecoderError {
      throw ImageError(.failedLibrary, error.description)
    } catch let error as MachineError {
      throw ImageError(.failedLibrary, error.description)
    } catch {
      throw ImageError(.failedLibrary, "\(error)")
    }
    report.findings = report.findings.linkedToCauses.sorted { $0.id < $1.id }
  }

  private func describe(
    _ analysis: StaticAnalysis, _ kernel: KernelImage, _ report: inout ImageReport
  ) throws(MachineError) {
    let variants = try SequenceMeasurement.variants(of: analysis, in: kernel)
    report.sequence = analysis.sequence(variants: variants)
    if report.sequence == nil, let function = analysis.functions.primary {
      report.notes.append("\(function.symbol): \(function.unclear ?? "its shape is not known")")
    }
    report.sites = analysis.sites
    report.missingSites = analysis.survey.missing
    report.unknownSites = analysis.survey.unknown
    report.notes += analysis.survey.notes
    report.findings = analysis.findings
  }

  private func run(
    _ matrix: Matrix, _ analysis: StaticAnalysis, _ kernel: KernelImage,
    _ report: inout ImageReport
  ) -> [BootResult] {
    report.notes += EffectiveCommandLine(kernel.identity).note.map { [$0] } ?? []
    var results: [BootResult]
    var late: LateFindings?
    do {
      let program = try BootProgram(kernel, analysis)
      report.stubs = program.stubs
      var runner = runner
      runner.wantsReads = discovery != nil
      results = runner.results(matrix.rows, of: program)
      // Bits are flipped on boots without late code: what such code does is judged by itself.
      let decided = results
      let code = try LateCode(program, analysis)
      if !code.steps.isEmpty {
        results = runner.results(matrix.rows, of: program, late: code.steps)
      }
      if let reason = code.unreadable {
        results = results.map { $0.isDetermined ? .undetermined(reason, $0.outcome.evidence) : $0 }
      }
      late = LateFindings(code, program, analysis, zip(matrix.rows, results).map { ($0.path, $1) })
      if let discovery {
        report.add(discovery.search(matrix.rows, decided, of: program, runner))
      }
    } catch {
      results = matrix.rows.map { row in
        .undetermined(
          "\(error)",
          Evidence(given: row.processor.given, derived: row.processor.derived))
      }
    }
    report.paths = zip(matrix.rows, results).map { row, result in
      JudgedPath(path: row.path, outcome: result.outcome, entryPoints: result.entryPoints)
    }
    if let late {
      report.findings += late.findings
      report.notes += late.notes
    }
    report.addVariants(results)
    return results
  }

  /// Adds verdicts, and the findings that rest on them.
  private func judge(
    _ matrix: Matrix, _ results: [BootResult], _ kernel: KernelImage, _ report: inout ImageReport
  ) {
    let facts = zip(matrix.rows, results).map { PathFacts($0, $1.outcome) }
    if let policy { report.paths = zip(report.paths, facts).map(policy.judged) }
    let findings = PathFindings(report, facts: facts, isComplete: matrix.isComplete) { symbol in
      kernel.symbols.address(of: symbol).map {
        Location(image: "vmlinux", address: Address($0), symbol: symbol)
      }
    }
    report.notes += findings.notes
    report.findings += findings.all
  }
}

extension BootProgram {
  convenience init(_ kernel: KernelImage, _ analysis: StaticAnalysis) throws(MachineError) {
    let survey = analysis.survey
    var entryPoints = Set(analysis.sites.compactMap(\.entryPoint)).union(survey.missing)
    // Where FRED is on, a kernel enters there whether or not it has a site.
    if kernel.symbols.address(of: "asm_fred_entrypoint_user") != nil {
      entryPoints.insert(.fredUser)
    }
    try self.init(
      kernel, functions: analysis.functions, table: analysis.table, sites: analysis.sites,
      entryPoints: entryPoints.sorted(), staticCallKeys: StaticCallKeys.all(in: kernel),
      jitGuards: survey.sites.lazy.compactMap(\.guards).first)
  }
}

extension ImageReport {
  /// Adds the bits that the build listens to, and what is wrong about them.
  mutating func add(_ result: DiscoveryResult) {
    bits = result.detections
    otherInfluences = result.otherInfluences
    findings += result.findings
  }

  /// Adds what boot paths showed of the sequence and the image alone did not.
  mutating func addVariants(_ results: [BootResult]) {
    guard sequence != nil else { return }
    for result in results {
      guard let variant = result.sequence, variant.outer != nil,
        !(sequence?.variants.contains { $0.outer == variant.outer && $0.inner == variant.inner }
          ?? true)
      else { continue }
      sequence?.variants.append(variant)
    }
  }
}

extension ImageFailure {
  /// The failure that a report shows for an error of reading an image.
  public init(_ error: ImageError) {
    self.init(
      code: Code(rawValue: error.code.rawValue) ?? .internal,
      message: error.member.map { "\($0): \(error.message)" } ?? error.message,
      offset: error.offset)
  }
}

extension KernelIdentity {
  /// The configuration options that bear on the choice.
  private static let options = [
    "CONFIG_MITIGATION_SPECTRE_BHI", "CONFIG_SPECTRE_BHI_ON", "CONFIG_MITIGATION_SPECTRE_V2",
    "CONFIG_MITIGATION_RETPOLINE", "CONFIG_RETPOLINE", "CONFIG_KVM", "CONFIG_KVM_INTEL",
    "CONFIG_X86_FRED", "CONFIG_PARAVIRT_XXL", "CONFIG_BPF_JIT", "CONFIG_BPF_UNPRIV_DEFAULT_OFF",
    "CONFIG_CMDLINE", "CONFIG_CMDLINE_OVERRIDE",
  ]

  init(_ kernel: KernelImage) {
    let identity = kernel.identity
    var configuration: [String: String]?
    if identity.configurationSource != nil {
      configuration = [:]
      for name in Self.options { configuration?[name] = identity.option(name) }
    }
    self.init(
      release: identity.release, buildID: identity.buildID, banner: identity.banner,
      architecture: Architecture(rawValue: identity.architecture), size: identity.size,
      builtInCommandLine: identity.builtInCommandLine,
      builtInOverrides: identity.builtInOverrides, bootconfig: identity.bootconfig,
      artefactCommandLine: identity.artefactCommandLine, configuration: configuration)
  }
}
