import ArgumentParser
import Foundation
import Inspection
import KernelImage
import Mitigation
import PatchTests
import Reports

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes tests for a kernel patch or series.",
    discussion: """
      Reads what `git format-patch` writes, series in an mbox, and plain diffs; says what each hunk \
      touches, and takes the constants that it defines as the contract. Into --out it writes \
      plan.json, a KUnit suite as a patch on top of the series, a kselftest, jobs for GitHub and \
      GitLab, and a README that says how. The same input gives the same bytes.

      With --after the plan says what the patched build gives on each boot path, and its mutants \
      choose the boots; with --before, too, what the patch changes and what it keeps.

      --check runs the plan's tests on the builds: those that change must fail on BEFORE and pass \
      on AFTER, those that keep must pass on both, and each mutant of AFTER must be caught. A plan \
      that stands in --out already is the one that is checked.

      Exit status: 0; 1 a test does not do what the plan says, or a mutant is missed; 65 a patch \
      that is malformed or reversed.
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable {
    case text, json, ktap
  }

  @Argument(help: ArgumentHelp("Patches, in the order of the series.", valueName: "patch"))
  var patches: [String]

  @Option(help: ArgumentHelp("The build without the patch.", valueName: "image"))
  var before: String?

  @Option(help: ArgumentHelp("The build with it.", valueName: "image"))
  var after: String?

  @Option(help: ArgumentHelp("Where the tests are written to.", valueName: "folder"))
  var out: String

  @Flag(help: "Run the plan on the builds, and the mutants of AFTER on the plan.")
  var check = false

  @Flag(
    inversion: .prefixedNo,
    help: "Whether mutants of AFTER choose the boots; without them every test is booted.")
  var mutants = true

  @Option(
    help: ArgumentHelp(
      "At most so many mutants, spread over all; 0: all.", valueName: "number"))
  var limit = Mutation.usualLimit

  @OptionGroup var judging: JudgingOptions

  @Option(help: "How to write what --check finds: text, json or ktap.")
  var format: Format = .text

  @Option(name: .shortAndLong, help: "How many threads run boot paths and mutants.")
  var jobs = 1

  func validate() throws {
    if jobs < 1 { throw ValidationError("--jobs takes a number from 1 on") }
    if limit < 0 { throw ValidationError("--limit takes a number from 0 on") }
    if check, after == nil { throw ValidationError("--check needs the build that --after names") }
  }

  func run() throws {
    let found = try Output.usable {
      var series: [KernelPatch] = []
      for path in patches { series += try PatchReader.patches(inFile: path) }
      guard !series.isEmpty else {
        throw PatchError(file: patches[0], message: "holds no unified diff")
      }
      let catalog = try MatrixCatalog.standard()
      let planner = TestPlanner(
        tool: BHBCheck.tool, catalog: catalog, policy: try judging.policy(of: catalog), jobs: jobs,
        before: try before.map(subject), after: try after.map(subject), usesMutants: mutants,
        mutantLimit: limit == 0 ? nil : limit)
      let plan = try self.plan(series, planner)
      return check ? try planner.check(plan) : nil
    }
    guard let found else { return }
    let writer = PlanCheckReports()
    switch format {
    case .text: try Output.write(writer.text(found))
    case .json: try Output.write(try writer.json(found))
    case .ktap: try Output.write(writer.ktap(found))
    }
    if !found.isGood { throw ExitCode(ExitStatus.findings) }
  }

  /// The plan that stands there already if it is to be checked; else a new one, written.
  private func plan(_ series: [KernelPatch], _ planner: TestPlanner) throws -> TestPlan {
    let file = "\(out)/plan.json"
    if check, FileManager.default.fileExists(atPath: file) { return try TestPlan(file: file) }
    let plan = try planner.plan(series)
    let writer = TestWriter()
    try writer.write(try writer.files(plan), to: out)
    if !check { try Output.write(PlanCheckReports().summary(plan, folder: out)) }
    return plan
  }

  private func subject(_ path: String) throws -> MutationSubject {
    let opened: [Artefact]
    do throws(ImageError) {
      opened = try Artefact.open(path: path)
    } catch {
      throw error.inside(path)
    }
    guard let artefact = opened.first else {
      throw ImageError(.noKernel, "holds no kernel image").inside(path)
    }
    do throws(ImageError) {
      return try MutationSubject(artefact)
    } catch {
      throw error.inside(path)
    }
  }
}
