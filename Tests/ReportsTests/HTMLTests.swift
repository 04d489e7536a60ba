import Foundation
import Mitigation
import Testing

@testable import Reports

@Suite struct HTMLTests {
  @Test func worksInABrowser() throws {
    let folder = try Scratch()
    for (index, named) in NamedReport.all.enumerated() where !named.report.images.isEmpty {
      try folder.write("report-\(index).html", HTMLReport.render(named.report))
    }
    try folder.write("hostile.html", HTMLReport.render(Fixture.hostile()))
    for (index, named) in Fixture.comparisons.enumerated() {
      try folder.write("diff-\(index).html", HTMLDiff.render(named.report))
    }
    try folder.write("hostile-diff.html", HTMLDiff.render(Fixture.hostileComparison()))
    guard let result = try Script.run("check-page", folder.files().map { $0.path() }) else {
      return
    }
    #expect(result.status == 0, "\(result.errors)")
  }

  @Test func aTextCannotLeaveTheData() throws {
    for page in [
      try HTMLReport.render(Fixture.hostile()), try HTMLDiff.render(Fixture.hostileComparison()),
    ] {
      #expect(!page.contains("<script>window"))
      #expect(!page.contains("<img"))
      #expect(page.components(separatedBy: "</script").count == 3)
      let controls = page.unicodeScalars.filter {
        $0 != "\n" && ($0.value < 0x20 || $0 == "\u{2028}" || $0 == "\u{2029}")
      }
      #expect(controls.isEmpty)
    }
  }

  @Test func thePageIsAloneAndAlwaysTheSame() throws {
    let page = try HTMLReport.render(Fixture.populated())
    #expect(page == (try HTMLReport.render(Fixture.populated())))
    // The only address is the name of SVG's elements, which is no link.
    let addresses = page.matches(of: /https?:\/\/[^"'\s]+/).map { String($0.output) }
    let texts = addresses.filter { !$0.hasPrefix("http://www.w3.org/2000/svg") }
    #expect(texts.isEmpty, "\(texts)")
  }

  @Test func whatOccursTwiceIsWrittenOnce() throws {
    let long = String(repeating: "a", count: 100)
    let text = try SharedJSON.render([["x": long, "y": "short"], ["x": long, "y": "short"], [:]])
    #expect(text.components(separatedBy: long).count == 2)
    #expect(text.components(separatedBy: "short").count == 2)
    #expect(try SharedJSON.render([Int?.none, 7, -1]) == #"{"pool":[],"data":[null,7,-1]}"#)
  }

  @Test func theTreeTellsApartWhatTheTableTellsApart() throws {
    for image in [Fixture.shortKernel(), Fixture.undeterminedKernel()] {
      let root = try #require(DecisionTree(image.paths).root)
      func leaves(_ node: DecisionTree.Node) -> [DecisionTree.Node] {
        node.question == nil ? [node] : node.branches.flatMap { leaves($0.node) }
      }
      let found = leaves(root)
      #expect(found.allSatisfy { $0.protections.count == 1 })
      #expect(Set(found.flatMap(\.paths)) == Set(image.paths.map(\.path.id)))
      #expect(found.map(\.paths.count).reduce(0, +) == image.paths.count)
    }
    #expect(DecisionTree([]).root == nil)
  }

  @Test func graphvizDrawsTheTree() throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    let folder = try Scratch()
    let file = try folder.write("tree.dot", DotReport.render(Fixture.hostile()))
    process.arguments = ["dot", "-Tsvg", file]
    process.standardOutput = FileHandle.nullDevice
    let errors = Pipe()
    process.standardError = errors
    try process.run()
    let text = String(
      decoding: try errors.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus != 127 else {
      print("not drawn: dot is missing (apt-get install graphviz)")
      return
    }
    #expect(process.terminationStatus == 0, "\(text)")
    #expect(!text.contains("syntax error"))
  }
}
