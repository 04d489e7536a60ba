import Alternatives
import BootMachine
import Foundation
import Inspection
import KernelImage
import Mitigation
import Testing

/// The real kernels that tests read: the images that BHBCHECK_KERNELS names, separated by colons.
enum RealKernels {
  static let paths = (ProcessInfo.processInfo.environment["BHBCHECK_KERNELS"] ?? "")
    .split(separator: ":").map(String.init)

  /// Whether every kernel is held against its other builds and containers, which is slow.
  static let isThorough = ProcessInfo.processInfo.environment["BHBCHECK_REAL"] == "1"

  static let howTo: Comment =
    "BHBCHECK_KERNELS names no kernel images; `make test` fetches two and sets it"

  static let howToBeThorough: Comment =
    "holds many kernels against each other: `make test-real` fetches them and sets BHBCHECK_REAL"

  /// An opened image with the modules that belong to it.
  static func artefact(_ path: String) throws -> Artefact {
    var artefact = try #require(try Artefact.open(path: path).first { $0.kernel != nil })
    if artefact.modules.isEmpty, let companion = companion(of: path) {
      artefact.modules = try Artefact.openModules(path: companion)
    }
    return artefact
  }

  /// Kernels from 6.19 on have their modules in a package of their own, which `fetch-kernel
  /// --modules` puts beside that of the image.
  private static func companion(of path: String) -> String? {
    let url = URL(filePath: path)
    let name = url.lastPathComponent
    guard name.hasPrefix("linux-binary-") else { return nil }
    let other = url.deletingLastPathComponent()
      .appending(component: "linux-modules-" + name.dropFirst("linux-binary-".count)).path()
    return FileManager.default.fileExists(atPath: other) ? other : nil
  }

  /// The default matrix of boot paths, run with a trace.
  static func report(on artefact: Artefact, wantsTrace: Bool = false) throws -> ImageReport {
    let catalog = try MatrixCatalog.standard()
    let inspector = Inspector(
      matrix: try Matrix.standard(catalog), runner: PathRunner(jobs: 2, wantsTrace: wantsTrace))
    return inspector.report(on: artefact)
  }
}

/// What vmlinux-samples/distributions.json says is true of exact builds.
struct KernelFacts: Decodable {
  struct Variant: Decodable, Hashable {
    var outer: Int?
    var inner: Int?
    var `class`: SequenceClass?
    var barrier: Bool?
    var takenBranches: Int?
  }

  struct Expected: Decodable {
    var shape: SequenceShape
    var sequenceSymbol: String?
    var variants: [Variant]
    var sites: [String: Int]
    var staticFindings: [String]
    var vmexitModuleFeature: Int?
    var altInstrSize: Int
    var payload: String
  }

  var release: String
  var packageVersion: String
  var buildId: String
  var expected: Expected

  private struct Document: Decodable {
    var facts: [KernelFacts]
  }

  /// All that is recorded, by build id.
  static let all: Result<[String: KernelFacts], any Error> = Result {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let file = SampleManifest.folder.appending(path: "distributions.json")
    let facts = try decoder.decode(Document.self, from: Data(contentsOf: file)).facts
    return Dictionary(facts.map { ($0.buildId, $0) }) { first, _ in first }
  }

  /// What is known of this build; nil, and said, if nothing is.
  static func of(_ kernel: KernelImage) throws -> KernelFacts? {
    let id = kernel.identity.buildID ?? "unknown"
    let facts = try all.get()[id]
    if facts == nil {
      print("facts unrecorded: \(kernel.identity.release ?? "unknown release"), build id \(id)")
    }
    return facts
  }
}
