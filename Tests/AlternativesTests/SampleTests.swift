import Foundation
import KernelImage
import Mitigation
import Testing

@testable import Alternatives

/// What vmlinux-samples/manifest.json says is true of each sample, as far as it needs no run.
struct SampleFacts: Decodable, Sendable, CustomTestStringConvertible {
  struct Expected: Decodable, Sendable {
    struct Variant: Decodable, Sendable {
      var outer: Int
      var inner: Int
      var barrier: Bool
    }
    struct Site: Decodable, Sendable, Equatable {
      var entryPoint: EntryPoint
      var feature: Int
    }

    var shape: SequenceShape
    var sequenceSymbol: String?
    var variants: [Variant]
    var alternativesInside: [Int]
    var sites: [Site]
    var siteBarrier: Bool
    var missing: [EntryPoint]?
    var staticFindings: [RuleID]
  }

  var name: String
  var file: String
  var expected: Expected

  var testDescription: String { name }

  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(components: "..", "..", "vmlinux-samples").standardized

  static func all() throws -> [SampleFacts] {
    struct Manifest: Decodable { var samples: [SampleFacts] }
    let text = try Data(contentsOf: folder.appending(component: "manifest.json"))
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Manifest.self, from: text).samples
  }

  static var areBuilt: Bool {
    let first = folder.appending(components: "build", "short.vmlinux").path
    let found = FileManager.default.fileExists(atPath: first)
    if !found {
      print("The samples are not built: run `make -C vmlinux-samples`, or `make test`.")
    }
    return found
  }

  func open() throws -> KernelImage {
    let path = Self.folder.appending(component: file).path
    let contents = Artefact.Contents(try ImageBytes.mapping(path: path))
    let member = Artefact.Member(name: name, contents: contents, layers: [])
    return try KernelImage(Artefact(path: path, kernel: member))
  }
}

@Suite("Samples", .enabled(if: SampleFacts.areBuilt))
struct SampleTests {
  @Test("the code says what the manifest says", arguments: try SampleFacts.all())
  func facts(_ sample: SampleFacts) throws {
    let analysis = try StaticAnalysis(try sample.open())
    let expected = sample.expected
    let sequence = try #require(analysis.sequence(variants: []))
    #expect(sequence.shape == expected.shape)
    #expect(sequence.symbol == expected.sequenceSymbol)
    let inside = analysis.sites.filter { $0.kind == .inside }
    #expect(inside.compactMap(\.feature?.number) == expected.alternativesInside)
    let sites = analysis.sites.filter { $0.kind == .alternative }
    let found = sites.compactMap { site in
      site.entryPoint.flatMap { entryPoint in
        site.feature.map { SampleFacts.Expected.Site(entryPoint: entryPoint, feature: $0.number) }
      }
    }
    #expect(found.sorted(by: inOrder) == expected.sites.sorted(by: inOrder))
    #expect(sites.allSatisfy { $0.barrier == expected.siteBarrier })
    if let missing = expected.missing { #expect(analysis.survey.missing == missing) }
    if let primary = analysis.functions.primary {
      #expect(expected.variants.allSatisfy { $0.barrier == primary.barrier })
      #expect(primary.isFullyDecoded)
      #expect(primary.loops != nil)
    }
  }

  private func inOrder(
    _ left: SampleFacts.Expected.Site, _ right: SampleFacts.Expected.Site
  ) -> Bool { left.entryPoint < right.entryPoint }

  @Test("the findings are the manifest's, and no others", arguments: try SampleFacts.all())
  func findings(_ sample: SampleFacts) throws {
    let analysis = try StaticAnalysis(try sample.open())
    let variants = sample.expected.variants.map {
      SequenceVariant(outer: $0.outer, inner: $0.inner, selectedBy: "manifest")
    }
    let counted = CountFindings.findings(for: variants, of: analysis.functions)
    let ids = Set((analysis.findings + counted).map(\.id))
    #expect(ids == Set(sample.expected.staticFindings))
  }

  @Test(
    "counts in code and variables are those of the first variant", arguments: try SampleFacts.all())
  func counts(_ sample: SampleFacts) throws {
    let analysis = try StaticAnalysis(try sample.open())
    guard let function = analysis.functions.primary else { return }
    let first = try #require(sample.expected.variants.first)
    func value(_ source: CountSource?, _ loads: [Replacement.Load]) -> Int? {
      switch source {
      case .immediate(let value), .alternative(_, let value): Int(value)
      case .variable(let variable): variable.initialValue.map { Int($0) }
      case .caller(let register):
        loads.last { $0.register.overlaps(register) }.map { Int($0.value) }
      case nil: nil
      }
    }
    let loads = analysis.survey.sites.first { $0.site.kind == .alternative }?.replacement?.loads
    #expect(value(function.outerCount, loads ?? []) == first.outer)
    #expect(value(function.innerCount, loads ?? []) == first.inner)
  }
}
