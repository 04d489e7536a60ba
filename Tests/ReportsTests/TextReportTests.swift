import Foundation
import Mitigation
import Reports
import Testing

@Suite struct TextReportTests {
  private func text(_ images: ImageReport..., colour: Bool = false, width: Int? = nil) -> String {
    TextReport(colour: colour, width: width).render(Fixture.report(images))
  }

  @Test func aShortKernel() throws {
    try expectSnapshot(text(Fixture.shortKernel()), "short.txt")
  }

  @Test func aShortKernelOnANarrowTerminal() throws {
    try expectSnapshot(text(Fixture.shortKernel(), width: 100), "short-100-columns.txt")
  }

  @Test func aShortKernelInColour() throws {
    try expectSnapshot(text(Fixture.shortKernel(), colour: true), "short-colour.txt")
  }

  @Test func severalImagesOneOfThemFailed() throws {
    try expectSnapshot(
      text(Fixture.absentKernel(), Fixture.failedImage(), Fixture.undeterminedKernel()),
      "several.txt")
  }

  @Test func everyField() throws {
    var report = Fixture.populated()
    report.images[0].error = nil
    try expectSnapshot(TextReport().render(report), "populated.txt")
  }

  @Test func hosts() throws {
    let page = text(Fixture.hostKernel())
    let start = try #require(page.range(of: "\nHost "))
    let end = try #require(page.range(of: "\nNotes"))
    try expectSnapshot(String(page[start.upperBound..<end.lowerBound]), "host.txt")
  }

  @Test func colourOnlyAddsEscapeSequences() {
    let image = Fixture.shortKernel()
    let sgr = /\u{1b}\[[0-9;]*m/
    #expect(text(image, colour: true).replacing(sgr, with: "") == text(image))
  }

  @Test func nothingInAnImageReachesTheTerminalAsAControl() {
    let plain = text(Fixture.undeterminedKernel(), Fixture.populated().images[0])
    let controls = plain.unicodeScalars.filter {
      $0 != "\n" && ($0.properties.generalCategory == .control || $0 == "\u{202e}")
    }
    #expect(controls.isEmpty)
    #expect(plain.hasPrefix(#"evil\x1b[2J\x0avmlinuz: "#))
  }

  @Test func noLineEndsInASpace() {
    for width in [nil, 40, 100] {
      let lines = text(Fixture.shortKernel(), Fixture.undeterminedKernel(), width: width)
        .split(separator: "\n")
      #expect(!lines.contains { $0.hasSuffix(" ") })
    }
  }

  @Test func anEmptyReportIsEmpty() {
    #expect(text() == "")
  }

  @Test func aStaticInspectionSaysThatNoPathWasRun() {
    var image = Fixture.shortKernel()
    image.paths = []
    image.bits = nil
    image.otherInfluences = nil
    image.findings = []
    let lines = text(image).split(separator: "\n")
    #expect(
      lines.first == """
        vmlinuz-6.12.117-cloud-amd64: short (5x5) sequence only, 6 sites; no boot path was run; \
        no finding
        """)
    #expect(lines.contains("Boot paths  none was run"))
    #expect(!lines.contains { $0.hasPrefix("Bits of a hypervisor") })
  }

  @Test func bitsNobodyLookedForAreUnknown() {
    var image = Fixture.shortKernel()
    image.bits = nil
    #expect(text(image).contains("Bits of a hypervisor  unknown: not looked for\n"))
    #expect(text(Fixture.shortKernel()).contains("Bits of a hypervisor  none\n"))
  }

  @Test(
    arguments: [
      ([(5, 5)], "short (5x5) sequence only"),
      ([(12, 7)], "long (12x7) sequence only"),
      ([(12, 7), (5, 5)], "short (5x5) and long (12x7) sequences"),
      ([(5, 5), (6, 5)], "short (5x5, 6x5) sequence only"),
      ([(1, 1), (5, 5), (12, 7)], "deficient (1x1), short (5x5) and long (12x7) sequences"),
      ([(5, 5), (nil, 7)], "short (5x5) and unknown sequences"),
      ([(nil, nil)], "a sequence of unknown counts"),
      ([], "a sequence of unknown counts"),
    ] as [([(Int?, Int?)], String)])
  func theVerdictLineNamesTheSequences(counts: [(Int?, Int?)], words: String) {
    var image = ImageReport(path: "x")
    image.sequence = ClearingSequence(
      symbol: nil, address: nil, size: nil, shape: .variable,
      variants: counts.map { SequenceVariant(outer: $0.0, inner: $0.1, selectedBy: "a") })
    #expect(text(image).hasPrefix("x: \(words), 0 sites; "))
  }

  @Test func whatWasNotReadIsUnknownAndNotAbsent() {
    let lines = text(ImageReport(path: "x")).split(separator: "\n")
    #expect(lines.first == "x: sequence unknown, 0 sites; no boot path was run; no finding")
  }
}
