import BootMachine
import Testing

@Suite("Lines of the log about the mitigation")
struct LogSubjectsTests {
  @Test("a subject is found wherever it stands")
  func found() {
    #expect(LogSubjects.appear(in: "Spectre V2 : Spectre BHI mitigation: SW BHB clearing"))
    #expect(LogSubjects.appear(in: "Hypervisor detected: KVM"))
    #expect(LogSubjects.appear(in: "unknown option: spectre_bhi"))
  }

  @Test("other lines, and empty ones, which may have no address", arguments: ["", "BH", "bhi"])
  func absent(line: String) {
    #expect(!LogSubjects.appear(in: line))
  }
}
