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

  @Option(
    help: ArgumentHelp(
      "At most so many mutants, spread over all; 0: all. Without it --score takes \(Mutation.usualLimit).",
      valueName: "number"))
  var limit: Int?

  @Flag(help: "Run each mutant on every boot path, not only until one kills it.")
  var everyPath = false

  @Flag(help: "Do not look for the bits that the image listens to; state those of the contract.")
  var noDiscover = false

  @OptionGroup var judging: JudgingOptions

  @Option(help: "How to write the report: text or json.")
  var format: OutputFormat = .text

  @Option(name: .shortAndLong, help: "How many threads run mutants.")
  var jobs = 1

  func validate() throws {
    if let limit, limit < 0 { throw ValidationError("--limit takes a number from 0 on") }
    // One image is as large as the kernel, and there may be thousands.
    if out != nil, only.isEmpty, limit == nil {
      throw ValidationError("--out writes what --only or --limit asks for")
    }
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
        matrix: matrix, discovery: try discovery(catalog), policy: policy, jobs: jobs, only: only,
        limit: actualLimit, isScored: score, runsEveryPath: everyPath)
      return try image.images.artefacts().map { artefact in
        let subject = try MutationSubject(
          artefact, modules: inspector.modules, systemMap: inspector.systemMap)
        let report = try mutation.report(on: subject, tool: BHBCheck.tool)
        try artefact.requireUnchanged()
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

  /// A contract that was asked for needs no search.
  private func discovery(_ catalog: MatrixCatalog) throws -> Discovery? {
    let asked = try judging.contract(of: catalog)
    return noDiscover || asked != nil ? nil : Discovery(catalog)
  }

  /// Nil: no limit. What is named, or only listed, is not limited by itself.
  private var actualLimit: Int? {
    guard let limit else { return score && only.isEmpty ? Mutation.usualLimit : nil }
    return limit == 0 ? nil : limit
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
    guard actualLimit == nil, let missing = only.first(where: { !found.contains($0) }) else {
      return
    }
    throw ValidationError("there is no mutant \(missing)")
  }
}
