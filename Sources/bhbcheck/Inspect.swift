import ArgumentParser
import BootMachine
import Inspection
import KernelImage
import Mitigation
import Reports

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Says which sequence an image holds, where it is used, and what each boot path selects.")

  @OptionGroup var input: ImageInput
  @OptionGroup var judging: JudgingOptions
  @OptionGroup var output: OutputOptions

  @Flag(name: .customLong("static"), help: "Run no boot path: only what the image itself shows.")
  var isStatic = false

  @Flag(
    inversion: .prefixedNo,
    help: "Flip the bits that a hypervisor answers, to find those that the image listens to.")
  var discover = true

  @Flag(
    help: """
      Flip every bit that guests read one by one, and on every kind of path; by default that is \
      done where a contract's hypervisor speaks, and elsewhere bits are flipped in groups first.
      """)
  var thorough = false

  @Flag(
    help: """
      Also run the image's KVM on host profiles, and say what it can promise its guests there and \
      whether it can force BHI_DIS_S.
      """)
  var host = false

  @Option(help: ArgumentHelp("kvm.ko, for --host where KVM is not built in.", valueName: "file"))
  var kvm: String?

  @Option(
    help: ArgumentHelp("kvm-intel.ko, for --host where KVM is not built in.", valueName: "file"))
  var kvmIntel: String?

  @Flag(help: "Add the SHA-256 of each vmlinux, as it is when every layer around it is taken off.")
  var hash = false

  @Option(name: .shortAndLong, help: "How many threads run boot paths.")
  var jobs = 1

  func validate() throws {
    if !host, kvm != nil || kvmIntel != nil {
      throw ValidationError("--kvm and --kvm-intel are for --host")
    }
  }

  func run() throws {
    var (inspector, report) = try Output.usable {
      let catalog = try judging.data.catalog()
      var discovery =
        discover && !isStatic
        ? Discovery(catalog, asked: try judging.contract(of: catalog)) : nil
      discovery?.isThorough = thorough
      var input = input
      input.companions.modules += [kvm, kvmIntel].compactMap(\.self)
      var inspector = try input.inspector(
        matrix: isStatic ? nil : try judging.matrix(catalog),
        runner: PathRunner(jobs: jobs, wantsTrace: output.written.needsTraces),
        policy: try judging.policy(of: catalog), discovery: discovery)
      if host {
        inspector.hosts = try HostInspection(
          catalog, contract: try judging.contract(of: catalog), jobs: jobs)
      }
      return (inspector, try judging.head(catalog, discovery: discovery))
    }
    if isStatic { report.policy = nil }
    inspector.hashes = hash
    let artefacts = output.chatter.watch("opening \(input.words)") { input.artefacts() }
    report.images = output.report(on: artefacts, by: inspector)
    try output.written.write(report, failOn: output.failOn) { report in
      TextReport(
        colour: Output.usesColour, width: Output.width, isBrief: output.chatter.quiet
      ).render(report)
    }
    Output.complain(about: report)
    throw ExitCode(ExitStatus.of(report, failOn: output.failOn))
  }
}
