import Foundation
import Testing

/// The commands of examples/batch, held against what each says of itself.
@Suite("Examples for batch engines") struct BatchExamplesTests {
  private static let folder = Tool.repository.appending(components: "examples", "batch")

  @Test(arguments: ["github-matrix.yml", "kubernetes.yaml", "parallel.sh", "slurm.sh"])
  func optionsAreKnown(file: String) throws {
    let text = try String(contentsOf: Self.folder.appending(component: file), encoding: .utf8)
    let lines = text.replacing("\\\n", with: " ").split(separator: "\n").map(String.init)
    let commands = lines.compactMap { line -> [String]? in
      guard let range = line.firstRange(of: "bhbcheck audit ") else { return nil }
      return line[range.upperBound...].split(separator: " ").map(String.init)
    }
    var called: Set<String> = []
    for words in commands {
      let first = words.first ?? ""
      let name = ["merge", "report", "since"].contains(first) ? first : "run"
      called.insert(name)
      let help = try Tool.run("help", "audit", name)
      #expect(help.status == 0)
      for word in words where word.hasPrefix("--") {
        #expect(help.output.contains("\(word) "), "\(file): audit \(name) \(word)")
      }
    }
    #expect(called == ["run", "merge", "report"])
  }
}
