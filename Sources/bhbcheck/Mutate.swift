import ArgumentParser
import Inspection
import KernelImage
import Mitigation
import Reports

struct Mutate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes wrong builds from an image, to measure what notices them.",
    discussion: """
      Lists the mutants: one change of machine code or of a table each, in code that boot paths ran \
      on the way to their choice. --score runs each of them on the boot paths of the image; --out \
      writes them as images to boot or to test elsewhere.

      Exit status 1: a mutant survived and no reason was found why it should.
      """)

  @OptionGroup var image: OneImageInput

  @Flag(help: "Run the mutants, and say which boot paths notice them.")
  var score = false

  @Option(help: ArgumentHelp("Write the mutants as images into this folder.", valueName: "folder"))
  var out: String?

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Only the mutants with these ids.", valueName: "id"))
  var only: [String] = []

  @Option(help: ArgumentHelp("At most so many mutants, spread over all.", valueName: "number"))
  var limit: Int?

  @OptionGroup var judging: JudgingOptions

  @Option(help: "How to write the report: text or json.")
  var format: OutputFormat = .text

  @Option(name: .shortAndLong, help: "How many threads run mutants.")
  var jobs = 1

  func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit takes a number from 1 on") }
    if jobs < 1 { throw ValidationError("--jobs takes a number from 1 on") }
  }

  func run() throws {
    let reports = try Output.usable {
      let catalog = try judging.data.catalog()
      let matrix = try judging.matrix(catalog)
      let policy = try judging.policy(of: catalog)
      let inspector = try image.images.inspector(
        matrix: matrix, runner: PathRunner(jobs: jobs), policy: policy)
      let mutation = Mutation(
        matrix: matrix, policy: policy, jobs: jobs, only: only, limit: limit, isScored: score)
      return try image.images.artefacts().map { artefact in
        let subject = try MutationSubject(
          artefact, modules: inspector.modules, systemMap: inspector.systemMap)
        let report = try mutation.report(on: subject, tool: BHBCheck.tool)
        try check(report)
        try write(report, of: subject)
        return report
      }
    }
    for report in reports {
      switch format {
      case .json: try Output.write(try JSONReport.render(report))
      case .text: try Output.write(MutationText().render(report))
      }
    }
    if reports.contains(where: { !$0.unexplained.isEmpty }) { throw ExitCode(ExitStatus.findings) }
  }

  private func write(_ report: MutationReport, of subject: MutationSubject) throws {
    guard let out else { return }
    do throws(MutantImageError) {
      try MutantImages(folder: out).write(report.mutants.map { $0.mutant }, of: subject.kernel)
    } catch {
      Output.complain(error.description)
      throw ExitCode(ExitStatus.internalError)
    }
  }

  /// Every id that was asked for must be there.
  private func check(_ report: MutationReport) throws {
    let found = Set(report.mutants.map { $0.mutant.id })
    // A limit may have left it out.
    guard limit == nil, let missing = only.first(where: { !found.contains($0) }) else { return }
    throw ValidationError("there is no mutant \(missing)")
  }
}
