import BootMachine
import Foundation
import KernelImage
import Mitigation
import Testing

@testable import Inspection

@Suite("Code behind the decision")
struct LateCodeTests {
  let manifest: SampleManifest

  init() throws { manifest = try BuiltSamples.manifest.get() }

  private func report(on name: String) throws -> ImageReport {
    let sample = try #require(manifest.samples.first { $0.name == name })
    let path = SampleManifest.folder.appending(path: sample.file).path()
    let artefact = try #require(try Artefact.open(path: path).first)
    let filter = MatrixFilter(
      processors: ["ice-lake-sp", "sapphire-rapids", "zen3"],
      environments: ["bare-metal", "kvm-no-bhi-ctrl", "kvm"])
    let matrix = try Matrix.standard(MatrixCatalog.standard(), filter: filter)
    return Inspector(matrix: matrix).report(on: artefact)
  }

  private func ids(_ report: ImageReport) -> Set<String> { Set(report.findings.map(\.id.text)) }

  @Test(
    "features that are forced too late are found, and sites stay what they were",
    .enabled(if: BuiltSamples.areThere, "to build them: make -C vmlinux-samples"))
  func lateFeature() throws {
    let report = try report(on: "late-feature")
    let findings = report.findings.filter { $0.id == .forcedTooLate }
    #expect(findings.count == 2)
    #expect(findings.allSatisfy { $0.severity == .error && !$0.paths.isEmpty })
    #expect(
      findings.flatMap(\.locations).compactMap(\.symbol)
        .allSatisfy { $0.hasPrefix("force_loop_features") })
    #expect(!ids(report).contains("BHB091"))
    let path = try #require(
      report.paths.first { $0.path.cpu == "ice-lake-sp" && $0.path.environment == "bare-metal" })
    #expect(path.outcome.sysfs?.hasSuffix("BHI: SW loop, KVM: SW loop") == true)
    #expect(path.entryPoints[.syscall64]?.sequence == SelectedSequence.none)
    // The CPUs without the bug are not named.
    #expect(findings.allSatisfy { $0.paths.allSatisfy { !$0.hasPrefix("zen3") } })
  }

  @Test(
    "an init call that writes the counts is run, and the outcome is that behind it",
    .enabled(if: BuiltSamples.areThere, "to build them: make -C vmlinux-samples"))
  func lateCounts() throws {
    let report = try report(on: "late-counts")
    #expect(report.notes.contains { $0.contains("the init call reset_bhb_counts") })
    #expect(ids(report).isDisjoint(with: ["BHB043", "BHB091"]))
    let guest = try #require(
      report.paths.first { $0.path.cpu == "ice-lake-sp" && $0.path.environment == "kvm" })
    #expect(guest.entryPoints[.syscall64]?.sequence == .short)
  }

  @Test(
    "code that nothing is seen to call is named",
    .enabled(if: BuiltSamples.areThere, "to build them: make -C vmlinux-samples"))
  func lateStore() throws {
    let report = try report(on: "late-store")
    let findings = report.findings.filter { $0.id == .codeNotRun }
    #expect(findings.count == 2)
    #expect(
      findings.allSatisfy { $0.severity == .warning && $0.message.contains("store_bhb_counts") })
    #expect(
      Set(findings.map { $0.message.contains("bhb_seq_outer_loop") }) == [true, false])
  }

  @Test(
    "builds that decide in time are left alone",
    .enabled(if: BuiltSamples.areThere, "to build them: make -C vmlinux-samples"),
    arguments: [
      "short", "long-variables", "long-alternative", "nofence", "msr-contract", "two-bits",
      "other-layout", "two-alternatives", "off-by-default", "exempt-ice-lake",
    ])
  func right(_ name: String) throws {
    let report = try report(on: name)
    #expect(ids(report).isDisjoint(with: ["BHB043", "BHB091"]), "\(report.findings)")
    #expect(!report.notes.contains { $0.contains("after the decision") })
  }

  @Test("a processor without the bug alone raises nothing either", arguments: Sample.allCases)
  func onePath(_ sample: Sample) throws {
    // None of the code that forces the features runs here.
    let matrix = try Matrix.standard(
      MatrixCatalog.standard(), filter: MatrixFilter(processors: ["zen3"]))
    let report = Inspector(matrix: matrix).report(on: sample.artefact)
    #expect(ids(report).isDisjoint(with: ["BHB043", "BHB091"]), "\(report.findings)")
  }

  @Test(
    "a list of places for a tracer calls nobody",
    .enabled(if: BuiltSamples.areThere, "to build them: make -C vmlinux-samples"))
  func traced() throws {
    let matrix = try Matrix.standard(
      MatrixCatalog.standard(), filter: MatrixFilter(processors: ["zen3"]))
    let file = SampleManifest.folder.appending(path: "build/traced.vmlinux")
    let artefact = try #require(try Artefact.open(path: file.path()).first)
    let symbols = try KernelImage(artefact).symbols
    #expect(symbols.address(of: "__start_mcount_loc") != symbols.address(of: "__stop_mcount_loc"))
    let report = Inspector(matrix: matrix).report(on: artefact)
    #expect(ids(report).isDisjoint(with: ["BHB043", "BHB091"]), "\(report.findings)")
  }

  @Test("real kernels raise nothing", .enabled(if: !RealKernels.paths.isEmpty, RealKernels.howTo))
  func realKernels() throws {
    for processors in [["zen3"], ["ice-lake-sp", "sapphire-rapids"]] {
      let matrix = try Matrix.standard(
        MatrixCatalog.standard(), filter: MatrixFilter(processors: processors))
      for path in RealKernels.paths {
        let report = Inspector(matrix: matrix).report(
          on: try #require(try Artefact.open(path: path).first))
        #expect(ids(report).isDisjoint(with: ["BHB043", "BHB091", "BHB090"]), "\(path)")
      }
    }
  }

  @Test("what ran is known once a machine is done")
  func coverage() throws {
    let kernel = try KernelImage(Sample.long.artefact)
    let program = try BootProgram(kernel: kernel)
    #expect(program.coverage.isEmpty)
    let filter = MatrixFilter(processors: ["zen3"])
    let rows = try Matrix.standard(MatrixCatalog.standard(), filter: filter).rows
    _ = PathRunner().results(rows, of: program)
    let coverage = program.coverage
    func ran(_ symbol: String) throws -> Bool {
      coverage.ran(try #require(kernel.symbols.address(of: symbol)))
    }
    #expect(try ran("early_cpu_init"))
    #expect(try ran("cpu_show_spectre_v2"))
    // The chain stops in front of it, and nothing is wrong with this processor.
    #expect(try !ran("alternative_instructions"))
    #expect(try !ran("force_loop_features"))
    let start = try #require(kernel.symbols.address(of: "early_cpu_init"))
    #expect(coverage.ran(in: start - 1..<start + 1))
    #expect(!coverage.ran(in: 0..<start & ~0xFFFF))
  }
}

@Suite("32-bit kernels")
struct SmallKernelTests {
  /// An ELF32 file for EM_386 with one segment that holds a banner.
  private static var file: [UInt8] {
    func little(_ value: some FixedWidthInteger) -> [UInt8] {
      withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
    let base: UInt32 = 0xC100_0000
    let body = [UInt8](repeating: 0x90, count: 32) + Array("Linux version 6.1.0 (a@b) #1\n\0".utf8)
    let size = UInt32(body.count)
    var file: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 1, 1, 1] + [UInt8](repeating: 0, count: 9)
    file += little(UInt16(2)) + little(UInt16(3)) + little(UInt32(1)) + little(base)
    file += little(UInt32(52)) + little(UInt32(0)) + little(UInt32(0))
    file += little(UInt16(52)) + little(UInt16(32)) + little(UInt16(1))
    file += little(UInt16(40)) + little(UInt16(0)) + little(UInt16(0))
    file += [1, 84, base, base, size, size, 7, 16].flatMap { little($0 as UInt32) }
    return file + body
  }

  @Test("one has no sequence, and its paths are undetermined with the reason")
  func report() throws {
    let contents = try Self.file.withUnsafeBytes { raw throws(ImageError) in
      Artefact.Contents(try ImageBytes.copying(raw))
    }
    let artefact = Artefact(
      path: "vmlinux-32",
      kernel: Artefact.Member(name: "vmlinux-32", contents: contents, layers: []))
    let filter = MatrixFilter(processors: ["ice-lake-sp"])
    let matrix = try Matrix.standard(MatrixCatalog.standard(), filter: filter)
    let report = Inspector(matrix: matrix).report(on: artefact)
    #expect(report.error == nil)
    #expect(report.kernel?.architecture == .i386)
    #expect(report.findings.contains { $0.id == .noSequence && $0.severity == .error })
    #expect(report.paths.count == 1)
    #expect(report.paths.first?.outcome.undeterminedBecause?.contains("64-bit") == true)
    #expect(report.paths.first?.entryPoints.isEmpty == true)
    let whole = Report(tool: Report.Tool(name: "test", version: "0"), images: [report])
    #expect(ExitStatus.of(whole, failOn: .error) == 1)
  }
}
