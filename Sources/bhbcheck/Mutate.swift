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

  @Argument(help: "The image; see `bhbcheck help inspect`.")
  var image: String?

  @Option(help: ArgumentHelp("Symbols for an image that has none.", valueName: "file"))
  var systemMap: String?

  @Option(help: ArgumentHelp("A small image that is built in: \(Sample.names).", valueName: "name"))
  var sample: Sample?

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
    let mutation = try mutation()
    var unexplained = 0
    do {
      for artefact in ImageInput(
        images: image, modules: [], systemMap: systemMap, sample: sample
      ).artefacts() {
        if let failure = artefact.failure { throw failure }
        let map = try systemMap.map { try Artefact.openText(path: $0) }
        let kernel = try KernelImage(artefact, systemMap: map)
        let report = try mutation.report(on: kernel, given: artefact.path, tool: BHBCheck.tool)
        try check(report)
        if let out {
          _ = try MutantImages(folder: out).write(report.mutants.map(\.mutant), of: kernel)
        }
        switch format {
        case .json: try Output.write(try JSONReport.render(report))
        case .text: try Output.write(MutationText().render(report))
        }
        unexplained += report.unexplained.count
      }
    } catch let error as ImageError {
      Output.complain(error.description)
      throw error.exitStatus
    } catch let error as MutantImageError {
      Output.complain(error.description)
      throw ExitCode(ExitStatus.internalError)
    }
    if unexplained > 0 { throw ExitCode(1) }
  }

  private func mutation() throws -> Mutation {
    try Output.usable {
      let catalog = try MatrixCatalog.standard()
      return Mutation(
        matrix: try judging.matrix(catalog), policy: try judging.policy(of: catalog), jobs: jobs,
        only: only, limit: limit, isScored: score)
    }
  }

  /// Every id that was asked for must be there.
  private func check(_ report: MutationReport) throws {
    let found = Set(report.mutants.map(\.mutant.id))
    // A limit may have left it out.
    guard limit == nil, let missing = only.first(where: { !found.contains($0) }) else { return }
    throw ValidationError("there is no mutant \(missing)")
  }
}
