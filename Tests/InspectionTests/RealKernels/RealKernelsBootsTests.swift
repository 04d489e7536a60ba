import Alternatives
import BootMachine
import Inspection
import KernelImage
import Mitigation
import Testing

/// The machine says what the same kernel said when it was booted with the same CPUID.
@Suite("RealKernels: boots", .enabled(if: !RealKernels.paths.isEmpty, RealKernels.howTo))
struct RealKernelsBootsTests {
  @Test("log lines and sysfs are those of real boots", arguments: RealKernels.paths)
  func reproduced(_ path: String) throws {
    let all = try RealBoots.all.get()
    let kernel = try KernelImage(try RealKernels.artefact(path))
    let boots = all.boots.filter { $0.release == kernel.identity.release }
    guard !boots.isEmpty else {
      print("no boots recorded: \(kernel.identity.release ?? path)")
      return
    }
    let analysis = try StaticAnalysis(kernel)
    let program = try BootProgram(
      kernel, functions: analysis.functions, table: analysis.table, sites: analysis.sites,
      entryPoints: [])
    var machine = try BootMachine(program)
    for boot in boots {
      let what = "\(boot.processor) \(boot.msrs) '\(boot.commandLine)'"
      let outcome = try machine.run(
        BootRequest(
          processor: try all.processor(of: boot), commandLine: boot.commandLine, wantsTrace: true)
      ).outcome
      #expect(outcome.undeterminedBecause == nil, "\(what)")
      if let line = boot.spectreV2 { #expect(outcome.sysfs == line, "\(what)") }
      let trace = try #require(outcome.trace)
      #expect(trace.warnings == [], "\(what)")
      if let messages = boot.messages {
        let lines = trace.log.filter { line in all.subjects.contains(where: line.contains) }
        #expect(Set(lines) == Set(messages), "\(what)")
      }
    }
    print("\(boots.count) boots of \(kernel.identity.release ?? "") reproduced")
  }
}
