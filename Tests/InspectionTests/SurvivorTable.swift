import Foundation
import KernelImage
import Mitigation
import Testing

@testable import Inspection

/// Tests/Fixtures/mutant-survivors.json: the mutants of right samples that no boot path can notice,
/// each with a sentence that says why.
struct SurvivorTable: Decodable {
  struct Survivor: Decodable, Hashable {
    var id: String
    var function: String
    var before: String
    var after: String
    var reason: MutantResult.Reason
    /// A key of `why`.
    var why: String
  }

  struct Sample: Decodable, CustomTestStringConvertible {
    var name: String
    /// A digest of the image: another compiler places its instructions otherwise.
    var build: String
    /// How many mutants it has.
    var mutants: Int
    var survivors: [Survivor]

    var testDescription: String { name }
  }

  var why: [String: String]
  var samples: [Sample]

  static let table = Result { try read() }
  static let samples = (try? table.get().samples) ?? []

  private static func read() throws -> SurvivorTable {
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../Fixtures/mutant-survivors.json").standardizedFileURL
    return try JSONDecoder().decode(SurvivorTable.self, from: Data(contentsOf: file))
  }

  /// FNV-1a, 64 bits.
  static func digest(of kernel: KernelImage) -> String {
    let digest = kernel.fileContents.reduce(0xCBF2_9CE4_8422_2325 as UInt64) {
      ($0 ^ UInt64($1)) &* 0x100_0000_01B3
    }
    return hexadecimal(digest)
  }
}
