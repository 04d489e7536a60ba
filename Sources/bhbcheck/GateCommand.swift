import ArgumentParser
import BootMachine
import Foundation
import Inspection
import KernelImage
import Mitigation
import Reports
import Settings

struct GateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gate",
    abstract: "Lets an image pass or not, by its exit status: for CI and `git bisect run`.",
    discussion: """
      Without a baseline an image fails for a finding of severity error (see --fail-on); with one, \
      for a boot path that is worse than there and for a finding that is new, from severity \
      warning on. What --require names must hold in any case.

      Options can stand in \(GateSettings.fileName), looked for in the current directory and the \
      folders above it up to the top of the git working tree: one `option: value` or `option: \
      [value, …]` a line, with the keys \(GateSettings.keys.joined(separator: ", ")). An option \
      given here takes the place of the file's. In a bisection the file is the revision's own, \
      unless --settings names another.

      Exit status: 0 passed; 1 failed; else 65, 66 or 70 if an input failed; else 2 undecided; 64 \
      usage. With --bisect: 0 good, 1 bad, 125 an image that cannot be read or decided, 128 \
      (which ends the bisection) anything else.
      """)

  /// What `git bisect run` is told.
  static let bisectionStatuses: Set<Int32> = [
    ExitStatus.success, ExitStatus.findings, ExitStatus.bisectSkip, ExitStatus.bisectAbort,
  ]

  @OptionGroup var image: OneImageInput

  @Option(
    help: ArgumentHelp(
      "What was good: an image, or a report of one (inspect --format json).", valueName: "file"))
  var baseline: String?

  @OptionGroup var judging: JudgingOptions

  @Option(help: ArgumentHelp("A rule whose findings are accepted.", valueName: "BHBnnn"))
  var allow: [RuleID] = []

  @Option(
    help: ArgumentHelp(
      "What must be true: \(GateCondition.forms).", valueName: "condition"))
  var require: [GateCondition] = []

  @Option(
    help: "The lowest severity that fails: by default error, with a baseline warning.")
  var failOn: Severity?

  @Option(help: ArgumentHelp("The settings file, in place of the one found.", valueName: "file"))
  var settings: String?

  @OptionGroup var written: ReportOptions

  @Flag(
    inversion: .prefixedNo,
    help: "Flip the bits that a hypervisor answers, to find those that the image listens to.")
  var discover = true

  @Option(name: .shortAndLong, help: "How many threads run boot paths.")
  var jobs = 1

  @Flag(help: "Exit as `git bisect run` expects.")
  var bisect = false

  mutating func validate() throws {
    if image.image != nil, image.sample != nil {
      throw ValidationError("give an image or --sample, not both")
    }
  }

  mutating func run() throws {
    try takeSettings()
    let (inspector, head) = try Output.usable {
      let catalog = try judging.data.catalog()
      let discovery = discover ? Discovery(catalog, asked: try judging.contract(of: catalog)) : nil
      let inspector = try image.images.inspector(
        matrix: try judging.matrix(catalog),
        runner: PathRunner(jobs: jobs, wantsTrace: written.needsTraces),
        policy: try judging.policy(of: catalog), discovery: discovery)
      return (inspector, try judging.head(catalog, discovery: discovery))
    }
    var given = written.chatter.watch("inspecting \(image.images.words)") {
      ComparedImage(image.images, by: inspector, head: head)
    }
    let gate = Gate(failOn: failOn, allowed: Set(allow), conditions: require)
    let result: GateResult
    var held: ComparedImage?
    if let baseline {
      var good = written.chatter.watch("inspecting \(baseline)") {
        ComparedImage(baseline, by: inspector, head: head)
      }
      if good.image.error == nil, given.image.error == nil,
        let reason = Gate.unfitness(of: good.report, for: given.report)
      {
        good.fail(reason)
      }
      result = gate.result(for: given.image, since: good.image, named: baseline)
      held = good
    } else {
      result = gate.result(for: given.image)
    }
    given.report.images = [given.image]
    given.report.gate = result
    try written.write(given.report, failOn: failOn ?? .error) { _ in
      GateReport(colour: Output.usesColour).render(result, of: given.path)
    }
    Output.complain(about: given.image, given: given.path)
    if let held { Output.complain(about: held.image, given: held.path) }
    let status =
      bisect
      ? ExitStatus.ofBisection(result, image: given.image, baseline: held?.image)
      : ExitStatus.of(result, image: given.image, baseline: held?.image)
    throw ExitCode(status)
  }

  /// Fills in what the command line leaves open.
  private mutating func takeSettings() throws {
    let folder = FileManager.default.currentDirectoryPath
    guard let file = settings ?? GateSettings.file(for: folder) else { return }
    let found: GateSettings
    do {
      found = try GateSettings(readingFrom: file)
    } catch {
      Output.complain(error.description)
      throw ExitCode(error.isMissing ? ExitStatus.noInput : ExitStatus.usage)
    }
    baseline = baseline ?? found.baseline
    judging.policy = judging.policy ?? found.policy
    judging.contract = judging.contract ?? found.contract
    failOn = failOn ?? found.failOn
    image.companions.systemMap = image.companions.systemMap ?? found.systemMap
    if allow.isEmpty { allow = found.allow }
    if require.isEmpty { require = found.require }
    if image.companions.modules.isEmpty { image.companions.modules = found.modules }
  }
}
