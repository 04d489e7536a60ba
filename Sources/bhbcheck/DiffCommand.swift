import ArgumentParser
import BootMachine
import Inspection
import KernelImage
import Mitigation
import Reports

struct DiffCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff",
    abstract: "How boot paths and findings changed from one image to another.",
    discussion: """
      Each of the two is an image or a report of one (`bhbcheck inspect --format json`); give \
      modules and symbols to inspect and compare the reports.

      Exit status: 1 a boot path got worse, or a finding is new (see --fail-on); else 65, 66 or 70 \
      if an input failed; else 2 if a boot path is undetermined; else 0.
      """)

  @Argument(help: "The earlier image, or a report of it.")
  var before: String

  @Argument(help: "The later image, or a report of it.")
  var after: String

  @OptionGroup var judging: JudgingOptions

  @Option(help: "How to write the comparison: text, json or html (one page, for people).")
  var format: DiffFormat = .text

  @Option(help: "The lowest severity of a new finding that makes the exit status 1.")
  var failOn: Severity = .warning

  @Flag(
    inversion: .prefixedNo,
    help: "Flip the bits that a hypervisor answers, to find those that the images listen to.")
  var discover = true

  @Option(name: .shortAndLong, help: "How many threads run boot paths.")
  var jobs = 1

  @OptionGroup var chatter: Chatter

  func run() throws {
    let (inspector, head) = try Output.usable {
      let catalog = try judging.data.catalog()
      let discovery = discover ? Discovery(catalog, asked: try judging.contract(of: catalog)) : nil
      let inspector = Inspector(
        matrix: try judging.matrix(catalog), runner: PathRunner(jobs: jobs),
        policy: try judging.policy(of: catalog), discovery: discovery)
      return (inspector, try judging.head(catalog, discovery: discovery))
    }
    let earlier = chatter.watch("inspecting \(before)") {
      ComparedImage(before, by: inspector, head: head)
    }
    let later = chatter.watch("inspecting \(after)") {
      ComparedImage(after, by: inspector, head: head)
    }
    let isReadable = earlier.image.error == nil && later.image.error == nil
    let report = ComparisonReport(
      tool: BHBCheck.tool, before: earlier.side, after: later.side,
      comparison: isReadable ? Comparison(from: earlier.image, to: later.image) : nil,
      failOn: failOn)
    switch format {
    case .json: try Output.write(try JSONDiff.render(report))
    case .html: try Output.write(try HTMLDiff.render(report))
    case .text:
      let text = DiffReport(colour: Output.usesColour, width: Output.width).render(report)
      try Output.write(chatter.quiet ? String(text.prefix { $0 != "\n" }) + "\n" : text)
    }
    for side in [earlier, later] { Output.complain(about: side.image, given: side.path) }
    throw ExitCode(ExitStatus.of(report, before: earlier.image, after: later.image))
  }
}

extension ComparedImage {
  fileprivate var side: ComparisonReport.Side {
    ComparisonReport.Side(path: path, image: image, in: report)
  }
}
