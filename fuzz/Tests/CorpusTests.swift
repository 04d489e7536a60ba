import Foundation
import Testing

/// Goes through the inputs that are kept, those that once ended a run among them.
@Suite("Fuzzed readers") struct CorpusTests {
  private static let corpus = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appending(component: "corpus")

  @Test(arguments: FuzzTarget.allCases)
  func takeEveryInput(_ target: FuzzTarget) throws {
    let folder = Self.corpus.appending(component: target.rawValue)
    let files = try FileManager.default.contentsOfDirectory(
      at: folder, includingPropertiesForKeys: nil)
    #expect(!files.isEmpty, "\(folder.path()) is empty")
    for file in files {
      let bytes = Array(try Data(contentsOf: file))
      let taken = ContinuousClock().measure { bytes.withUnsafeBytes(target.run) }
      #expect(taken < .seconds(5), "\(file.lastPathComponent) took \(taken)")
    }
  }
}
