import BootMachine
import Foundation
import KernelImage
import Mitigation
import Testing

@testable import Inspection

/// What a machine does with code that it must not answer by itself. Each case puts code in the
/// place of init_hypervisor_platform, which a sample can do without on bare metal.
@Suite("The machine stops where it would have to guess")
struct FaithfulnessTests {
  private func run(_ code: [UInt8]) throws -> BootResult {
    var sample = try PatchedSample(.short)
    try sample.put(code, at: "init_hypervisor_platform")
    return try sample.run()
  }

  static let stopping: [(code: [UInt8], reason: String)] = [
    ([0x66, 0xBA, 0x70, 0x00, 0xEC, 0xC3], "I/O port 0x70"),
    ([0xE4, 0x71, 0xC3], "I/O port 0x71"),
    ([0x0F, 0x32, 0xC3], "rdmsr that the exception table does not list"),
    ([0x3E, 0x0F, 0x30, 0xC3], "wrmsr that the exception table does not list"),
    ([0x0F, 0x33, 0xC3], "rdpmc"),
    ([0x8B, 0x04, 0x25, 0x00, 0x00, 0xAD, 0x0D, 0xC3], "memory that is not there was read"),
    ([0x89, 0x04, 0x25, 0x00, 0x00, 0xAD, 0x0D, 0xC3], "memory that is not there was written"),
    ([0x0F, 0x0B], "an instruction that the emulator does not know"),
    ([0xCC], "exception 3"),
    ([0xEB, 0xFE], "basic blocks ran"),
  ]

  @Test("code whose result nobody described makes a path undetermined", arguments: stopping)
  func stops(_ code: [UInt8], _ reason: String) throws {
    let result = try run(code)
    let said = try #require(result.outcome.undeterminedBecause)
    #expect(said.contains(reason), "\(said)")
    #expect(said.contains("init_hypervisor_platform"), "\(said)")
    #expect(result.entryPoints.values.allSatisfy { $0.mechanism == nil })
  }

  @Test(
    "what has no bearing is let through",
    arguments: [
      // A port that the list of substitutions names, writing to a port, a MOV with the same bytes.
      [0x66, 0xBA, 0x58, 0x56, 0xED, 0xC3],
      [0xE6, 0x80, 0xC3],
      [0xB8, 0x0F, 0x32, 0x0F, 0x33, 0xC3],
      [0x0F, 0x31, 0xC3],
    ] as [[UInt8]])
  func passes(_ code: [UInt8]) throws {
    let result = try run(code)
    #expect(result.outcome.undeterminedBecause == nil)
    #expect(result.entryPoints[.syscall64]?.mechanism == .sequence)
  }

  @Test("a block that was refused is refused on every path of a machine")
  func refusedAgain() throws {
    var sample = try PatchedSample(.short)
    try sample.put([0x0F, 0x32, 0xC3], at: "init_hypervisor_platform")
    let program = try BootProgram(kernel: sample.kernel())
    let rows = try Matrix.standard(
      MatrixCatalog.standard(), filter: MatrixFilter(processors: ["ice-lake-sp", "zen3"])
    ).rows
    for result in PathRunner().results(rows + rows, of: program) {
      #expect(result.outcome.undeterminedBecause?.contains("rdmsr") == true)
    }
  }

  @Test("a WARN makes a path undetermined, with the place in the source")
  func warning() throws {
    var sample = try PatchedSample(.short)
    // Forcing a feature warns once the alternatives are patched.
    try sample.put([1], at: "alternatives_patched")
    let result = try sample.run()
    let said = try #require(result.outcome.undeterminedBecause)
    #expect(said.contains("WARN at setup_force_cpu_cap"), "\(said)")
    #expect(said.contains("cpu.c:"), "\(said)")
  }

  @Test("reading an MSR that a path does not define goes through the kernel's own fixup")
  func undefinedMSR() throws {
    // Sapphire Rapids would get BHI_DIS_S; where SPEC_CTRL faults it gets the sequence.
    let catalog = try MatrixCatalog.standard()
    let program = try BootProgram(kernel: KernelImage(Sample.short.artefact))
    let filter = MatrixFilter(processors: ["sapphire-rapids"])
    var processor = try #require(try Matrix.standard(catalog, filter: filter).rows.first).processor
    var machine = try BootMachine(program)
    let whole = try machine.run(BootRequest(processor: processor, commandLine: ""))
    #expect(whole.entryPoints[.syscall64]?.mechanism == .hardware)
    // SPEC_CTRL is there where CPUID.(7,0):EDX[26] says so.
    var leaf = try #require(processor.cpuid[7, 0])
    leaf.edx &= ~(1 << 26)
    processor.cpuid.set(leaf: 7, registers: leaf)
    processor.msrs[0x48] = nil
    let result = try machine.run(
      BootRequest(processor: processor, commandLine: "", wantsTrace: true))
    #expect(result.outcome.undeterminedBecause == nil)
    #expect(result.entryPoints[.syscall64]?.mechanism == .sequence)
    let reads = try #require(result.outcome.trace).msrs.filter { $0.index.value == 0x48 }
    #expect(reads.map(\.kind) == [.read])
    #expect(reads.first?.value == nil)
  }

  @Test("a kernel that kexec started finds SPEC_CTRL as the one before left it")
  func kexec() throws {
    let filter = MatrixFilter(processors: ["sapphire-rapids"], environments: ["kexec"])
    let result = try PatchedSample(.short).run(filter)
    #expect(result.entryPoints[.syscall64]?.mechanism == .hardware)
    let accesses = try #require(result.outcome.trace).msrs.filter { $0.index.value == 0x48 }
    #expect(accesses.map(\.kind) == [.read, .write])
    #expect(accesses.map(\.value?.value) == [0x401, 0x401])
  }
}

@Suite("Code that a path patched is not run on the next one")
struct StaleCodeTests {
  private static let requests = [
    // Long for a silent guest, short on the hardware, off, and back again.
    ("ice-lake-sp", "kvm", ""), ("ice-lake-sp", "bare-metal", ""),
    ("ice-lake-sp", "bare-metal", "spectre_bhi=off"), ("ice-lake-sp", "kvm", "spectre_bhi=vmexit"),
    ("ice-lake-sp", "kvm", ""),
  ]

  private func hold(_ kernel: KernelImage) throws -> [BootResult] {
    let program = try BootProgram(kernel: kernel)
    let catalog = try MatrixCatalog.standard()
    let rows = try Self.requests.map { cpu, environment, line in
      let filter = MatrixFilter(
        processors: [cpu], environments: [environment], literalCommandLines: [line])
      return try #require(try Matrix.standard(catalog, filter: filter).rows.first)
    }
    let onOne = PathRunner().results(rows, of: program)
    for (row, result) in zip(rows, onOne) {
      let fresh = try #require(PathRunner().results([row], of: program).first)
      #expect(result == fresh, "\(row.path.id)")
      #expect(result.outcome.undeterminedBecause == nil)
    }
    return onOne
  }

  @Test("long, short, off, VM exits alone, long: each as on a machine of its own")
  func sample() throws {
    let results = try hold(KernelImage(Sample.long.artefact))
    let none = SelectedSequence.none
    #expect(
      results.map { $0.entryPoints[.syscall64]?.sequence } == [.long, .short, none, none, .long])
    #expect(results[3].entryPoints[.vmexit]?.sequence == .long)
  }

  @Test("the same on real kernels", .enabled(if: !RealKernels.paths.isEmpty, RealKernels.howTo))
  func realKernels() throws {
    for path in RealKernels.paths {
      let kernel = try KernelImage(try #require(try Artefact.open(path: path).first))
      let results = try hold(kernel)
      #expect(Set(results.map(\.entryPoints)).count > 1, "\(path)")
    }
  }
}
