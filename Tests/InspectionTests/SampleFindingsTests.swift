import BootMachine
import Foundation
import KernelImage
import Mitigation
import Testing

@testable import Inspection

/// Holds the verdicts on the samples, and the findings that rest on them, against the manifest.
@Suite(
  "Findings on samples",
  .enabled(if: BuiltSamples.areThere, "to build them: make -C vmlinux-samples"))
struct SampleFindingsTests {
  let manifest: SampleManifest
  let catalog: MatrixCatalog

  init() throws {
    manifest = try BuiltSamples.manifest.get()
    catalog = try MatrixCatalog.standard()
  }

  /// The rules that rest on boot paths alone; the others are the search for bits and for code that
  /// was not run.
  static let rules: Set<RuleID> = [
    .longNeverRuns, .silentGuestShort, .belowPolicy, .falseClaim, .offByBuild, .wronglyNotAffected,
    .unprovenRetpoline, .excessive, .undetermined,
  ]

  @Test(
    "exactly those that the manifest states, on the paths of its table",
    arguments: BuiltSamples.all.filter { $0.expected.paths != nil })
  func findings(_ sample: SampleManifest.Sample) throws {
    let report = try report(on: sample, matrix: try matrix(of: sample))
    #expect(report.error == nil)
    let found = Set(report.findings.map(\.id)).intersection(Self.rules)
    let expected = Set(sample.expected.pathFindings.map { RuleID($0) }).intersection(Self.rules)
    #expect(found == expected, "\(report.findings.map { "\($0.id) \($0.message)" })")
    try checkConsistency(of: report)
  }

  @Test(
    "a right sample has no fault on the whole default matrix, under its contract",
    arguments: BuiltSamples.all.filter { $0.what.hasPrefix("right") })
  func right(_ sample: SampleManifest.Sample) throws {
    let matrix = try Matrix.standard(catalog, contract: contract(of: sample))
    let report = try report(on: sample, matrix: matrix)
    #expect(
      report.findings.isEmpty, "\(report.findings.map { "\($0.id) \($0.message) \($0.paths)" })")
    #expect(report.paths.allSatisfy { $0.verdict == .adequate })
    #expect(matrix.isComplete)
  }

  @Test("one cause gives one finding that leads")
  func causes() throws {
    func followers(_ name: String) throws -> [String: [String]] {
      let sample = try #require(manifest.samples.first { $0.name == name })
      let report = try report(on: sample, matrix: try matrix(of: sample))
      return Dictionary(
        report.findings.map { ($0.id.text, $0.followsFrom.map(\.text)) }, uniquingKeysWith: +)
    }
    #expect(
      try followers("short") == [
        "BHB002": [], "BHB020": ["BHB002"], "BHB021": ["BHB002"], "BHB022": ["BHB002"],
      ])
    #expect(
      try followers("no-detection") == [
        "BHB003": [], "BHB020": ["BHB003"], "BHB021": ["BHB003"], "BHB022": ["BHB003"],
      ])
    #expect(
      try followers("absent") == ["BHB001": [], "BHB021": ["BHB001"], "BHB022": ["BHB001"]])
    #expect(
      try followers("missing-int80") == ["BHB040": [], "BHB021": ["BHB040"], "BHB022": ["BHB040"]])
    #expect(
      try followers("confidential") == ["BHB021": [], "BHB022": ["BHB021"]])
    #expect(try followers("exempt-ice-lake") == ["BHB024": []])
    #expect(try followers("off-by-default") == ["BHB023": []])
  }

  /// What holds of every report: each inadequate path is named, and what leads is there.
  private func checkConsistency(of report: ImageReport) throws {
    let ids = Set(report.findings.map(\.id))
    let naming: Set<RuleID> = [
      .silentGuestShort, .belowPolicy, .offByBuild, .wronglyNotAffected, .missingSite,
    ]
    let named = Set(report.findings.filter { naming.contains($0.id) }.flatMap(\.paths))
    for path in report.paths where path.verdict == .inadequate {
      #expect(named.contains(path.path.id), "\(path.path.id)")
    }
    for finding in report.findings {
      #expect(ids.isSuperset(of: finding.followsFrom))
      #expect(!finding.followsFrom.contains(finding.id))
      #expect(Set(finding.paths).count == finding.paths.count)
      #expect(Set(finding.paths).isSubset(of: report.paths.map(\.path.id)))
    }
  }

  private func contract(of sample: SampleManifest.Sample) -> Contract? {
    manifest.contracts.first { $0.id == sample.expected.contract }
  }

  private func matrix(of sample: SampleManifest.Sample) throws -> Matrix {
    let rows = try manifest.rows(of: sample.expected.paths ?? "").map { row in
      let seen = try manifest.processor(for: row, contract: sample.expected.contract)
      let environment = BootEnvironment.asDumped(seen)
      let processor = catalog.processors.assessed(seen, asGuest: environment.isGuest)
      let line = catalog.commandLine(writtenAs: row.commandLine)
      let statement = row.alsoStates == nil ? row.statement : .longRequired
      return Matrix.Row(
        path: BootPath(
          cpu: row.cpu, environment: row.environment + (row.alsoStates == nil ? "" : "-both"),
          statement: statement,
          commandLineName: line.name, commandLine: line.line),
        processor: processor, environment: environment, commandLine: line)
    }
    return Matrix.of(rows, catalog: catalog, contract: contract(of: sample), isComplete: true)
  }

  private func report(
    on sample: SampleManifest.Sample, matrix: Matrix
  ) throws -> ImageReport {
    let path = SampleManifest.folder.appending(path: sample.file).path()
    let artefact = try #require(try Artefact.open(path: path).first)
    return Inspector(matrix: matrix, policy: catalog.policy(id: Policy.defaultID)).report(
      on: artefact)
  }
}
