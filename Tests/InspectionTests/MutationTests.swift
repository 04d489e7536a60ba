import BootMachine
import Foundation
import KernelImage
import Mitigation
import Testing

@testable import Inspection

/// Holds mutants of the right samples against the boot paths that must notice them.
@Suite("Mutants")
struct MutationTests {
  /// Those whose mutants are run every time.
  static let usual = SurvivorTable.samples.filter {
    ["long, compiled in", "two-bits"].contains($0.name)
  }

  @Test(
    "every mutant of a right sample is noticed, but those listed with a reason",
    .enabled(if: BuiltSamples.areThere, "to build them: make -C vmlinux-samples"),
    arguments: usual)
  func score(_ sample: SurvivorTable.Sample) throws { try check(sample) }

  func check(_ sample: SurvivorTable.Sample) throws {
    let (kernel, contract) = try image(of: sample)
    let report = try report(of: kernel, contract)
    #expect(report.mutants.count == report.possible)
    #expect(report.mutants.count > 200)
    #expect(report.unexplained.isEmpty)
    #expect(report.score == 1)
    let survivors = report.mutants.filter { $0.status == .survived }
    #expect(survivors.count < 20)
    let covered = Set(report.smallestPathSet.map(\.path))
    for result in report.mutants where result.isNoticed {
      #expect(!covered.isDisjoint(with: result.killedBy), "\(result.mutant.id)")
    }
    #expect(
      report.smallestPathSet.reduce(0) { $0 + $1.adds } == report.mutants.count(where: \.isNoticed))
    guard SurvivorTable.digest(of: kernel) == sample.build else { return }
    #expect(report.possible == sample.mutants)
    #expect(Set(survivors.map(Self.row)) == Set(sample.survivors.map(Self.row)))
    let why = try SurvivorTable.table.get().why
    #expect(sample.survivors.allSatisfy { why[$0.why] != nil })
  }

  private static func row(_ result: MutantResult) -> [String?] {
    let mutant = result.mutant
    return [mutant.id, mutant.originalText, mutant.changedText, result.reason?.rawValue]
  }

  private static func row(_ survivor: SurvivorTable.Survivor) -> [String?] {
    [survivor.id, survivor.before, survivor.after, survivor.reason.rawValue]
  }

  private func image(of sample: SurvivorTable.Sample) throws -> (KernelImage, Contract?) {
    let manifest = try BuiltSamples.manifest.get()
    guard let built = manifest.samples.first(where: { $0.name == sample.name }) else {
      let contract = manifest.contracts.first { $0.id == "sample-kvm-bit-30" }
      return (try KernelImage(Sample.long.artefact), contract)
    }
    let contract = manifest.contracts.first { $0.id == built.expected.contract }
    return (try manifest.kernel(of: built), contract)
  }

  private func report(
    of kernel: KernelImage, _ contract: Contract?, only: [String] = [], limit: Int? = nil,
    runsEveryPath: Bool = false, jobs: Int = 2
  ) throws -> MutationReport {
    let mutation = Mutation(
      matrix: try Matrix.standard(try MatrixCatalog.standard(), contract: contract), jobs: jobs,
      only: only, limit: limit, runsEveryPath: runsEveryPath)
    return try mutation.report(
      on: MutationSubject(path: "sample", kernel: kernel),
      tool: Report.Tool(name: "test", version: "0"))
  }

  @Test("a limit spreads over all, takes the sequence first, and any number of threads agrees")
  func limit() throws {
    let kernel = try KernelImage(Sample.long.artefact)
    let one = try report(of: kernel, nil, limit: 30, jobs: 1)
    #expect(one == (try report(of: kernel, nil, limit: 30)))
    #expect(one.mutants.count == 30)
    #expect(one.possible > 200)
    let kinds = Set(one.mutants.map(\.mutant.operator))
    #expect(kinds.isSuperset(of: [.countChanged, .entryRemoved, .conditionInverted]))
  }

  @Test("what kills on every path was killed by the first one as well")
  func everyPath() throws {
    let kernel = try KernelImage(Sample.long.artefact)
    let first = try report(of: kernel, nil, limit: 20)
    let all = try report(of: kernel, nil, limit: 20, runsEveryPath: true)
    for (first, all) in zip(first.mutants, all.mutants) {
      #expect(first.isNoticed == all.isNoticed)
      #expect(Set(first.killedBy).isSubset(of: all.killedBy))
    }
  }

  @Test("the bits that an image listens to become its contract")
  func discovered() throws {
    let kernel = try KernelImage(Sample.long.artefact)
    let catalog = try MatrixCatalog.standard()
    let matrix = try Matrix.standard(catalog)
    let found = try #require(
      Discovery(catalog).contract(of: BootProgram(kernel: kernel), matrix, jobs: 2))
    #expect(found.id == "discovered")
    #expect(found.shortAdequate == 30)
    #expect(found.longRequired == nil)
    #expect(found.place == .cpuid(signature: "KVMKVMKVM", offset: 1, register: .eax))
  }

  @Test("a mutant that was written is the image with its change, and boots otherwise")
  func written() throws {
    let kernel = try KernelImage(Sample.long.artefact)
    let results = try report(of: kernel, nil, limit: 40).mutants
    let killed = try #require(
      results.first { $0.status == .killed && $0.differences.contains(.sequence) })
    let folder = FileManager.default.temporaryDirectory
      .appending(component: "bhbcheck-\(UUID().uuidString)").path()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try MutantImages(folder: folder).write([killed.mutant], of: kernel)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 1)
    let file = "\(folder)/\(killed.mutant.id).vmlinux"
    let written = try KernelImage(#require(try Artefact.open(path: file).first))
    let changed = killed.mutant.changed.bytes
    #expect(
      written.bytes(at: killed.mutant.address.value, count: changed.count)
        .map { Array($0) } == changed)
    #expect(
      zip(written.fileContents, kernel.fileContents).count { $0 != $1 }
        == zip(changed, killed.mutant.original.bytes).count { $0 != $1 })
    let id = try #require(killed.killedBy.first)
    let rows = try Matrix.standard(MatrixCatalog.standard()).rows
    if let row = rows.first(where: { $0.path.id == id }) {
      let right = PathRunner().results([row], of: try BootProgram(kernel: kernel))
      let wrong = PathRunner().results([row], of: try BootProgram(kernel: written))
      #expect(right != wrong)
    }
  }
}

/// What takes too long for every run.
@Suite(
  "Mutants of more samples and of real kernels",
  .enabled(if: RealKernels.isThorough, RealKernels.howToBeThorough))
struct RealKernelMutationTests {
  @Test(
    "every mutant of the other right samples is noticed, but those listed with a reason",
    .enabled(if: BuiltSamples.areThere, "to build them: make -C vmlinux-samples"),
    arguments: SurvivorTable.samples.filter { sample in
      !MutationTests.usual.contains { $0.name == sample.name }
    })
  func score(_ sample: SurvivorTable.Sample) throws { try MutationTests().check(sample) }

  @Test("mutants of a kernel of 7.x come to an end", arguments: RealKernels.paths)
  func realKernel(_ path: String) throws {
    let subject = try MutationSubject(RealKernels.artefact(path))
    // The others have the same boot code.
    guard let release = subject.kernel.identity.release, release.hasPrefix("7."),
      release.contains("cloud")
    else { return }
    let mutation = Mutation(
      matrix: try Matrix.standard(try MatrixCatalog.standard()), jobs: 2, limit: 300)
    let report = try mutation.report(on: subject, tool: Report.Tool(name: "test", version: "0"))
    #expect(report.mutants.count == 300)
    #expect(report.unexplained.count < 30)
    #expect(report.count(.killed) > 60)
  }
}
