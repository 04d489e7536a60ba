import BootMachine
import Foundation
import KernelImage
import Mitigation
import Testing

@testable import Inspection

/// No kernel of a distribution promises its guests anything; this must be found by running its KVM,
/// on every host.
@Suite("RealKernels: hosts", .enabled(if: !RealKernels.paths.isEmpty, RealKernels.howTo))
struct RealKernelsHostTests {
  @Test("KVM starts on every host, and promises nothing", arguments: RealKernels.paths)
  func hosts(_ path: String) throws {
    let artefact = try RealKernels.artefact(path)
    let kernel = try KernelImage(artefact)
    let modules = try artefact.modules.map { try KernelModule($0) }
    let isBuiltIn = kernel.symbols.address(of: "kvm_dev_ioctl") != nil
    let names = Set(modules.map(\.name))
    guard kernel.is64Bit, isBuiltIn || names.isSuperset(of: ["kvm", "kvm_intel"]) else {
      print("no KVM beside \(path): fetch its modules with scripts/fetch-kernel --modules")
      return
    }
    let inspection = try HostInspection(try MatrixCatalog.standard(), jobs: 2)
    let report = inspection.report(on: kernel, modules: modules)
    #expect(report.undeterminedBecause == nil)
    let unknown = report.hosts.filter { $0.undeterminedBecause != nil }
    #expect(unknown.isEmpty, "\(unknown.map { "\($0.id): \($0.undeterminedBecause ?? "")" })")
    for host in report.hosts {
      #expect(host.starts == true, "\(host.id)")
      #expect(host.promises == [] && host.ableToForce == false, "\(host.id)")
      #expect(host.takesControl != true, "\(host.id)")
      #expect(host.supported?.edx == Hex32(0), "\(host.id)")
      // The features of KVM are there, so it is the right leaf: clock, asynchronous page faults.
      #expect((host.supported?.eax.value ?? 0) & 0x1 != 0, "\(host.id)")
      // Where the host alone says that nothing can be forced, no VM need be made to know it; with
      // PREEMPT_RT a VM's set-up may want to sleep.
      for machine in host.machines where machine.accepted != nil {
        #expect(machine.accepted == (machine.wish == .nothing), "\(host.id) \(machine)")
        #expect(machine.promises == [], "\(host.id) \(machine)")
      }
    }
    #expect(inspection.findings(on: report).map(\.id) == [.promisesNothing])
  }

  @Test("the modules of another kernel are refused")
  func foreignModules() throws {
    let artefacts = try RealKernels.paths.map { try RealKernels.artefact($0) }
    let kernels = try artefacts.map { try KernelImage($0) }
    guard let first = kernels.first,
      let other = zip(kernels, artefacts).first(where: { kernel, artefact in
        kernel.identity.release != first.identity.release && artefact.modules.count > 1
      })
    else {
      print("only one release is there: set BHBCHECK_KERNELS to two, with their modules")
      return
    }
    let modules = try other.1.modules.map { try KernelModule($0) }
    let report = try HostInspection(try MatrixCatalog.standard()).report(
      on: first, modules: modules)
    #expect(report.undeterminedBecause?.contains(" is for ") == true, "\(report)")
    #expect(report.hosts.isEmpty)
  }
}
