import Foundation
import KernelImage
import Mitigation
import Testing

@testable import Alternatives

/// The kernels that BHBCHECK_KERNELS names, as a list of paths separated by colons.
enum RealKernels {
  static var paths: [String] {
    ProcessInfo.processInfo.environment["BHBCHECK_KERNELS"]?.split(separator: ":").map(String.init)
      ?? []
  }

  static var areGiven: Bool {
    if paths.isEmpty {
      print("No real kernels: set BHBCHECK_KERNELS, or run `make test`, which fetches some.")
    }
    return !paths.isEmpty
  }
}

@Suite("RealKernels: alternatives", .enabled(if: RealKernels.areGiven))
struct RealKernelsTests {
  @Test("what holds in every kernel that distributions build", arguments: RealKernels.paths)
  func always(_ path: String) throws {
    for artefact in try Artefact.open(path: path) where artefact.kernel != nil {
      let kernel = try KernelImage(artefact)
      guard kernel.is64Bit else { continue }
      let modules = try artefact.modules.map { member throws(ImageError) in
        try KernelModule(member)
      }
      let analysis = try StaticAnalysis(kernel, modules: modules)
      #expect(analysis.table.entries.count > 500)
      #expect(analysis.table.faults.isEmpty)
      guard let function = analysis.functions.primary else {
        #expect(analysis.findings.map(\.id) == [.noSequence])
        #expect(analysis.sites.isEmpty)
        continue
      }
      #expect(analysis.findings.isEmpty)
      #expect(function.isFullyDecoded)
      #expect(function.shape != nil)
      #expect(function.loops != nil)
      #expect(function.returns.count == 3)
      #expect(function.returns.allSatisfy { $0.isInUpperHalf })
      let user = analysis.sites.filter {
        $0.kind == .alternative && $0.entryPoint?.vector == .userToKernel
      }
      #expect(user.map(\.entryPoint).contains(.syscall64))
      #expect(Set(user.map(\.feature?.number)).count == 1)
      #expect(user.allSatisfy { $0.target == function.symbol })
      #expect(analysis.sites.allSatisfy { $0.kind == .inside || $0.entryPoint != nil })
      // The JIT asks for the same feature as the sites, and for a hypervisor before it adds IBHF.
      let jit = analysis.survey.sites.filter { $0.site.kind == .jit }
      #expect(jit.count == 1)
      #expect(jit.first?.guards?.sequence == user.first?.feature?.number)
      #expect(jit.first?.guards?.fenceBehindSequence == 4 * 32 + 31)
      #expect(jit.first?.guards?.fence != nil)
      let vmexit = analysis.sites.filter { $0.entryPoint == .vmexit }
      if !modules.isEmpty {
        #expect(vmexit.count == 1)
        #expect(analysis.survey.unknown.isEmpty)
      }
    }
  }
}
