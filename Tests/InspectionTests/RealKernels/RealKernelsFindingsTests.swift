import BootMachine
import KernelImage
import Mitigation
import Testing

@testable import Inspection

@Suite(
  "RealKernels: verdicts and findings", .enabled(if: !RealKernels.paths.isEmpty, RealKernels.howTo))
struct RealKernelsFindingsTests {
  /// What must hold whatever the kernel's age: each build of today either has no sequence, or only
  /// the short one and does not know better.
  @Test("what no kernel of today gets right", arguments: RealKernels.paths)
  func findings(_ path: String) throws {
    let catalog = try MatrixCatalog.standard()
    let matrix = try Matrix.standard(catalog)
    let inspector = Inspector(matrix: matrix, policy: catalog.policy(id: Policy.defaultID))
    for artefact in try Artefact.open(path: path) where artefact.kernel != nil {
      let report = inspector.report(on: artefact)
      guard report.kernel?.architecture == .amd64 else { continue }
      let leaders = Set(report.findings.filter(\.followsFrom.isEmpty).map(\.id))
      let ids = Set(report.findings.map(\.id))
      #expect(!ids.contains(.undetermined), "\(report.findings.map(\.message))")
      #expect(!ids.contains(.wronglyNotAffected), "\(report.findings.map(\.message))")
      #expect(report.paths.allSatisfy { $0.verdict != nil })
      checkSpared(report)
      if report.sequence?.shape == .absent {
        #expect(leaders == [.noSequence])
      } else if !(report.sequence?.variants.contains { $0.sequenceClass == .long } ?? true) {
        #expect(leaders.contains(.noLongSequence))
        #expect(ids.isSuperset(of: [.silentGuestShort, .falseClaim]))
        #expect(!leaders.contains(.silentGuestShort) && !leaders.contains(.falseClaim))
        checkPrograms(report)
      }
    }
  }

  /// Processors that are not affected need nothing; what a user switched off is excused.
  private func checkSpared(_ report: ImageReport) {
    for path in report.paths where path.path.cpu.hasPrefix("zen") {
      #expect(path.verdict == .adequate, "\(path.path.id)")
    }
    for path in report.paths where path.path.commandLineName == "mitigations-off" {
      #expect(path.entryPoints.values.allSatisfy { $0.required == .optedOut }, "\(path.path.id)")
    }
  }

  /// The BPF JIT follows the entries from user space.
  private func checkPrograms(_ report: ImageReport) {
    guard report.sites.contains(where: { $0.entryPoint == .bpf }) else { return }
    for path in report.paths {
      guard let programs = path.entryPoints[.bpf], let entries = path.entryPoints[.syscall64]
      else { continue }
      #expect(programs.sequence == entries.sequence, "\(path.path.id)")
      #expect(programs.mechanism == entries.mechanism, "\(path.path.id)")
    }
  }
}
