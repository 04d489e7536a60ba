import ArgumentParser
import BootMachine
import Foundation
import Inspection
import KernelImage
import Mitigation
import Reports

struct Paths: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "The decision table: what an image selects on every boot path.",
    discussion: """
      Without options: the default matrix. --cpu, --hypervisor, --statement and --cmdline choose \
      rows of it. --cpuid-dump puts one real machine in their place: with --cmdline there is \
      exactly one path.
      """)

  @OptionGroup var image: OneImageInput
  @OptionGroup var rows: RowOptions
  @OptionGroup var judging: JudgingOptions
  @OptionGroup var output: OutputOptions

  @Option(name: .shortAndLong, help: "How many threads run boot paths.")
  var jobs = 1

  @Flag(
    help: "Show everything that was executed on the way: for few paths, best for one.")
  var explain = false

  @Flag(
    help: "Show every line of /sys/devices/system/cpu/vulnerabilities that the kernel would show.")
  var vulnerabilities = false

  @Flag(help: "Say on standard error how long the paths took.")
  var timing = false

  func run() throws {
    let runner = PathRunner(
      jobs: jobs, wantsTrace: explain || output.written.needsTraces,
      wantsVulnerabilities: vulnerabilities)
    let report = try Output.usable {
      let catalog = try judging.data.catalog()
      let matrix = try rows.matrix(catalog, contract: try judging.contract(of: catalog))
      let input = image.images
      let inspector = try input.inspector(
        matrix: matrix, runner: runner, policy: try judging.policy(of: catalog))
      let clock = ContinuousClock()
      let start = clock.now
      var report = try judging.head(catalog)
      report.images = output.report(on: input.artefacts(), by: inspector)
      if timing { Output.complain("\(matrix.rows.count) paths in \(clock.now - start)") }
      return report
    }
    try output.written.write(report, failOn: output.failOn, wantsTraces: explain, text: text)
    Output.complain(about: report)
    throw ExitCode(ExitStatus.of(report, failOn: output.failOn))
  }

  private func text(_ report: Report) -> String {
    let writer = PathsReport(colour: Output.usesColour, width: Output.width)
    if output.chatter.quiet { return writer.summaries(report) }
    return report.images.map { image in
      if explain {
        return image.paths.map { writer.explain($0, stubs: image.stubs) }.joined(separator: "\n")
      }
      if vulnerabilities {
        return image.paths.map(writer.vulnerabilities).joined(separator: "\n")
      }
      return image.paths.isEmpty ? "" : writer.render(image.paths)
    }.joined(separator: "\n")
  }
}

/// Which boot paths to run: rows of the default matrix, or those of one real machine.
struct RowOptions: ParsableArguments {
  @OptionGroup var filter: FilterOptions

  @Option(
    help: ArgumentHelp(
      "The CPUID leaves of a machine: the output of `cpuid -r`, or AIDA64's.", valueName: "file"))
  var cpuidDump: String?

  @Option(
    name: .customLong("msr"),
    help: ArgumentHelp("A model-specific register of that machine.", valueName: "index=value"))
  var msrs: [MSRValue] = []

  @Option(
    help: ArgumentHelp(
      "What an undefined register does: fault, or read as a value.", valueName: "fault|value"))
  var msrDefault: MSRDefault?

  func matrix(_ catalog: MatrixCatalog, contract: Contract?) throws -> Matrix {
    guard let cpuidDump else {
      guard msrs.isEmpty, msrDefault == nil else {
        throw ValidationError("--msr and --msr-default belong to --cpuid-dump")
      }
      return try Matrix.standard(catalog, contract: contract, filter: filter.filter)
    }
    guard filter.namesNoGuest else {
      throw ValidationError("a CPUID dump fixes the processor, the environment and the statement")
    }
    let lines =
      filter.cmdline.isEmpty
      ? catalog.commandLines : filter.cmdline.map { catalog.commandLine(writtenAs: $0) }
    return Matrix.dumped(
      try processor(cpuidDump, catalog), catalog: catalog, contract: contract,
      commandLines: lines)
  }

  private func processor(_ path: String, _ catalog: MatrixCatalog) throws -> Processor {
    let member: Artefact.Member
    do throws(ImageError) {
      member = try Artefact.openText(path: path)
    } catch {
      throw error.inside(path)
    }
    let text = String(decoding: member.contents.bytes.raw, as: UTF8.self)
    try member.contents.bytes.requireUnchanged()
    var dump = try CPUIDDump.parse(text, name: member.name)
    for msr in msrs {
      dump.msrs[msr.index] = msr.value
      dump.given.append("MSR \(hexadecimal(UInt64(msr.index))) = \(hexadecimal(msr.value))")
    }
    if let msrDefault, case .value(let value) = msrDefault {
      dump.given.append("undefined MSRs read \(hexadecimal(value))")
    }
    return catalog.processors.completed(dump, msrDefault: msrDefault ?? .fault)
  }
}
