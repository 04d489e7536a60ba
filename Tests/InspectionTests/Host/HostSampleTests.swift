import BootMachine
import Foundation
import KernelImage
import Mitigation
import Testing

@testable import Inspection

/// Holds what the pretended KVMs of the samples say against the manifest.
@Suite(
  "KVM of samples",
  .enabled(if: BuiltSamples.areThere, "to build them: make -C vmlinux-samples"))
struct HostSampleTests {
  let manifest: SampleManifest
  let inspection: HostInspection

  init() throws {
    manifest = try BuiltSamples.manifest.get()
    let contract = try #require(manifest.contracts.first { $0.id == "sample-kvm-bit-30" })
    inspection = try HostInspection(try MatrixCatalog.standard(), contract: contract, jobs: 2)
  }

  @Test(
    "exactly the findings and the answers that the manifest states", arguments: BuiltSamples.hosts)
  func answers(_ sample: SampleManifest.Host) throws {
    let report = try report(on: sample.name, modules: sample.modules)
    #expect(report.undeterminedBecause == nil)
    #expect(report.modules.count == sample.modules.count)
    let findings = inspection.findings(on: report)
    #expect(findings.map(\.id.text) == sample.findings, "\(findings.map(\.message))")
    for finding in findings where finding.id != .promisesNothing {
      #expect(!finding.paths.isEmpty)
      #expect(Set(finding.paths).isSubset(of: report.hosts.map(\.id)))
    }
    for answer in sample.answers {
      let host = try #require(report.hosts.first { $0.id == answer.host }, "\(answer.host)")
      #expect(host.promises?.contains(.shortAdequate) == answer.promises, "\(answer.host)")
      #expect(host.ableToForce == answer.forces, "\(answer.host)")
      if let unasked = answer.unasked {
        #expect(told(host, .nothing) == unasked, "\(answer.host)")
      }
      #expect(told(host, .force) == answer.whenForced, "\(answer.host)")
      #expect(told(host, .stop) == answer.whenStopped, "\(answer.host)")
    }
  }

  @Test("a control that is offered is taken up by who has it, and seen without a layout")
  func control() throws {
    for (name, takes) in [
      ("kvm", true), ("kvm-modules", true), ("kvm-half", true), ("kvm-silent", false),
    ] {
      let sample = try #require(manifest.hosts.first { $0.name == name })
      let report = try report(on: name, modules: sample.modules)
      for host in report.hosts {
        #expect(host.takesControl == (host.facts.offersControl ? takes : nil), "\(name) \(host.id)")
      }
      #expect(report.fields.isEmpty != takes)
    }
  }

  @Test("several threads say what one says, and a machine's second host what a new one's says")
  func repeatable() throws {
    var alone = inspection
    alone.jobs = 1
    let kernel = try kernel(of: "kvm")
    let one = alone.report(on: kernel, modules: [])
    #expect(inspection.report(on: kernel, modules: []) == one)
    #expect(one.hosts.contains { $0.promises == [.shortAdequate] })
  }

  @Test("without the modules, with one of them, or with another kernel's nothing is said")
  func missing() throws {
    let folder = SampleManifest.folder
    let vendor = folder.appending(path: "build/kvm-intel.ko").path()
    for (name, modules, reason) in [
      ("kvm-modules", [], "no module kvm-intel"), ("kvm-modules", [vendor], "no module kvm was"),
      ("kvm-half", [], "no module kvm-intel"),
      ("short", [], "no module kvm-intel"),
    ] {
      let opened = try modules.flatMap { try Artefact.openModules(path: $0) }.map {
        try KernelModule($0)
      }
      let report = inspection.report(on: try kernel(of: name), modules: opened)
      #expect(report.hosts.isEmpty)
      #expect(report.undeterminedBecause?.contains(reason) == true, "\(report)")
      #expect(inspection.findings(on: report).map(\.id) == [.hostUndetermined])
    }
  }

  @Test("a symbol that the kernel lacks makes the answer unknown, by its name")
  func unresolved() throws {
    // The kernel of this sample has neither __kmalloc_noprof nor what KVM asks the mitigation for.
    let sample = try #require(manifest.hosts.first { $0.name == "kvm-modules" })
    let report = try report(on: "long-variables", modules: sample.modules)
    #expect(report.hosts.allSatisfy { $0.undeterminedBecause != nil })
    let plain = report.hosts.filter { $0.host == "bare-metal" }
    let reasons = Set(plain.compactMap(\.undeterminedBecause))
    #expect(reasons.count == 1)
    #expect(
      reasons.first?.contains("__kmalloc_noprof, which the kernel does not have") == true,
      "\(reasons)")
  }

  @Test("a report holds it only when it was asked for, and linked with the rest")
  func wholeReport() throws {
    var inspector = Inspector(matrix: nil)
    let artefact = try #require(
      try Artefact.open(path: path(of: "kvm-missing-control")).first)
    #expect(inspector.report(on: artefact).host == nil)
    inspector.hosts = inspection
    let report = inspector.report(on: artefact)
    #expect(report.host?.hosts.isEmpty == false)
    #expect(report.findings.map(\.id) == [.unjustifiedPromise])
    #expect(!report.hasUndeterminedPath)
  }

  /// What a VM is promised after its wish; nil if KVM refused, or that is not known.
  private func told(_ host: HostOutcome, _ wish: HostVM.Wish) -> Bool? {
    guard let machine = host.machines.first(where: { $0.wish == wish }), machine.accepted == true
    else { return nil }
    return machine.promises?.contains(.shortAdequate)
  }

  private func report(on name: String, modules: [String]) throws -> HostReport {
    let opened = try modules.flatMap {
      try Artefact.openModules(path: SampleManifest.folder.appending(path: $0).path())
    }
    return inspection.report(
      on: try kernel(of: name), modules: try opened.map { try KernelModule($0) })
  }

  private func kernel(of name: String) throws -> KernelImage {
    try KernelImage(try #require(try Artefact.open(path: path(of: name)).first))
  }

  private func path(of name: String) -> String {
    SampleManifest.folder.appending(path: "build/\(name).vmlinux").path()
  }
}
