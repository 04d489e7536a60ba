import KernelImage
import Testing

@testable import Inspection

@Suite("Boot configurations")
struct BootConfigurationTests {
  static let rendered: [(text: String, line: String)] = [
    ("kernel.mitigations = off", "mitigations=off"),
    ("kernel.a = 1; kernel.b = 2\nkernel.c", "a=1 b=2 c"),
    ("kernel { a = 1\n b.c = 2 ; d }\nother.x = 3", "a=1 b.c=2 d"),
    ("kernel.a = 1, 2,\n  3", "a=1 a=2 a=3"),
    ("kernel.a = 'x; y', \"#\"", "a=\"x; y\" a=#"),
    ("# a comment\nkernel.a = 1 # and one behind\n", "a=1"),
    ("kernel.a = 1\nkernel.a += 2\nkernel.b = 3\nkernel.b := 4", "a=1 a=2 b=4"),
    ("kernel.a.x = 1\nkernel.b = 2\nkernel.a.y = 3", "a.x=1 a.y=3 b=2"),
    ("init.a = 1", ""),
    ("", ""),
    ("kernel.spectre_bhi=vmexit", "spectre_bhi=vmexit"),
    ("kernel{spectre_bhi=off}", "spectre_bhi=off"),
  ]

  @Test("kernel keys become options as the kernel writes them", arguments: rendered)
  func keys(_ text: String, _ line: String) throws {
    let configuration = try #require(BootConfiguration(text))
    #expect(configuration.commandLine(below: "kernel") == line)
  }

  @Test(
    "what the kernel refuses is refused",
    arguments: [
      "kernel {", "}", "kernel..a = 1", "kernel.a = 'x", "= 1", "kernel.a = 1\nkernel.a = 2",
      "kernel.a + 1", String(repeating: "a{", count: 40), "kernel.a = \"x\" y",
    ])
  func refused(_ text: String) { #expect(BootConfiguration(text) == nil) }
}

@Suite("Effective command lines")
struct EffectiveCommandLineTests {
  private let plain = CommandLine(
    name: "given", line: "spectre_bhi=on", switchesOff: [], reason: "a test")

  private func line(
    builtIn: String = "", overrides: Bool = false, embedded: String = "", forced: Bool = true
  ) -> EffectiveCommandLine {
    EffectiveCommandLine(
      builtIn: builtIn, overrides: overrides, artefact: "", embedded: embedded,
      embeddedIsForced: forced)
  }

  @Test("what the build adds stands in front, so that the boot loader has the last word")
  func order() {
    #expect(line().text(for: plain) == "spectre_bhi=on")
    #expect(line(builtIn: "a").text(for: plain) == "a spectre_bhi=on")
    #expect(line(builtIn: "a", embedded: "e").text(for: plain) == "e a spectre_bhi=on")
    #expect(line(builtIn: "a", overrides: true, embedded: "e").text(for: plain) == "e a")
  }

  @Test("a boot configuration that is not forced has to be asked for")
  func request() {
    var asking = plain
    asking.line = "bootconfig spectre_bhi=on"
    let embedded = line(embedded: "mitigations=off", forced: false)
    #expect(embedded.text(for: plain) == "spectre_bhi=on")
    #expect(embedded.text(for: asking) == "mitigations=off bootconfig spectre_bhi=on")
    asking.line = "spectre_bhi=on -- bootconfig"
    #expect(embedded.text(for: asking) == asking.line)
  }

  @Test("one that does not fit is left out")
  func overflow() {
    let long = String(repeating: "x", count: 2040)
    #expect(line(embedded: long).text(for: plain) == "spectre_bhi=on")
  }
}
