import BootMachine
import Foundation
import KernelImage
import Mitigation
import Testing

@testable import Inspection

/// Code of an image that wants out of its machine does not get out, and does not get a verdict.
@Suite("Confinement") struct ConfinementTests {
  /// Boots a sample whose first step is `code`; why the path is undetermined.
  private func reason(_ code: [UInt8]) throws -> String {
    var sample = try PatchedSample(.long)
    try sample.put(code, at: "early_cpu_init")
    let result = try sample.run()
    #expect(result.entryPoints.isEmpty)
    return try #require(result.outcome.undeterminedBecause)
  }

  /// mov $value,%rax
  private func load(_ value: UInt64) -> [UInt8] {
    [0x48, 0xb8] + withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  @Test(
    arguments: [
      ("in $0x64,%al", [0xe4, 0x64], "I/O port 0x64"),
      ("mov $0xcf8,%dx; in %dx,%eax", [0x66, 0xba, 0xf8, 0x0c, 0xed], "I/O port"),
      ("mov %rsp,%rdi; insb", [0x48, 0x89, 0xe7, 0x66, 0xba, 0x64, 0x00, 0x6c], "I/O port"),
      (
        "mov %rsp,%rdi; mov $1,%ecx; rep insl",
        [0x48, 0x89, 0xe7, 0x66, 0xba, 0x64, 0x00, 0xb9, 1, 0, 0, 0, 0xf3, 0x6d], "I/O port"
      ),
      ("int $0x80", [0xcd, 0x80], "exception"),
      ("int3", [0xcc], "exception"),
      ("syscall", [0x0f, 0x05], "syscall"),
      ("sysenter", [0x0f, 0x34], "sysenter"),
      ("sysretq", [0x48, 0x0f, 0x07], "sysret"),
      ("sysexit", [0x0f, 0x35], "sysexit"),
      ("vmcall", [0x0f, 0x01, 0xc1], ""),
      ("vmmcall", [0x0f, 0x01, 0xd9], ""),
      ("hlt", [0xf4], ""),
      ("jmp .", [0xeb, 0xfe], "basic blocks ran"),
      ("push %rax; jmp", [0x50, 0xeb, 0xfd], "memory that is not there was written"),
      ("mov %rsp,%rax; jmp *%rax", [0x48, 0x89, 0xe0, 0xff, 0xe0], "non-executable"),
      ("mov $0,%rsp; ret", [0x48, 0xc7, 0xc4, 0, 0, 0, 0, 0xc3], "memory that is not there"),
      // Paging on, with tables wherever CR3 points.
      (
        "mov $0x80000001,%eax; mov %rax,%cr0; jmp .",
        [0xb8, 0x01, 0x00, 0x00, 0x80, 0x0f, 0x22, 0xc0, 0xeb, 0xfe], ""
      ),
    ] as [(String, [UInt8], String)])
  func whatAMachineDoesNotHaveEndsThePath(name: String, code: [UInt8], reason: String) throws {
    let told = try self.reason(code)
    #expect(told.contains(reason) || reason.isEmpty, "\(name): \(told)")
  }

  @Test func anAddressOfTheHostIsNoMemoryOfTheGuest() throws {
    let secret = UnsafeMutablePointer<UInt8>.allocate(capacity: 4096)
    secret.initialize(repeating: 0x5a, count: 4096)
    defer { secret.deallocate() }
    let place = UInt64(UInt(bitPattern: secret))
    // mov (%rax),%al; movb $1,(%rax); jmp *%rax
    for (code, access) in [
      ([0x8a, 0x00], "read"), ([0xc6, 0x00, 0x01], "written"), ([0xff, 0xe0], "executed"),
    ] as [([UInt8], String)] {
      #expect(try reason(load(place) + code).contains("memory that is not there was \(access)"))
    }
    #expect((0..<4096).allSatisfy { secret[$0] == 0x5a })
  }

  /// A system call of Linux would make a file, if the emulator handed it on.
  @Test(arguments: [[0x0f, 0x05], [0xcd, 0x80]] as [[UInt8]])
  func aSystemCallReachesNoKernel(call: [UInt8]) throws {
    let file = FileManager.default.temporaryDirectory.appending(component: UUID().uuidString).path()
    // mov $2,%eax (open; creat for int 0x80 is 8, which reads RBX); lea path(%rip),%rdi;
    // mov $0x41,%esi (O_CREAT | O_WRONLY); mov $0x1ff,%edx
    let before: [UInt8] =
      [0xb8, call[0] == 0xcd ? 8 : 2, 0, 0, 0] + [0x48, 0x8d, 0x3d]
    let after: [UInt8] =
      [0x48, 0x89, 0xfb, 0xbe, 0x41, 0, 0, 0, 0xba, 0xff, 1, 0, 0] + call + [0xeb, 0xfe]
    let distance = withUnsafeBytes(of: Int32(after.count).littleEndian) { Array($0) }
    let told = try reason(before + distance + after + Array(file.utf8) + [0])
    #expect(!told.contains("basic blocks"), "it went on behind the call: \(told)")
    #expect(!FileManager.default.fileExists(atPath: file))
  }

  @Test func aKernelThatPrintsWithoutEndIsStopped() throws {
    let symbols = try KernelImage(Sample.long.artefact).symbols
    let printk = try #require(symbols.address(of: "_printk"))
    // lea text(%rip),%rdi; mov $_printk,%rax; call *%rax; jmp to the start
    let loop = [0x48, 0x8d, 0x3d, 14, 0, 0, 0] + load(printk) + [0xff, 0xd0, 0xeb, 0xeb]
    let told = try reason(loop + Array("%99999d%99999d%99999d\0".utf8))
    #expect(told.contains("1048576 bytes were printed"))
  }

  @Test func manyPathsWithoutAnEndAreGivenUp() throws {
    var sample = try PatchedSample(.long)
    try sample.put([0xeb, 0xfe], at: "early_cpu_init")
    let program = try BootProgram(kernel: sample.kernel())
    let rows = try Matrix.standard(MatrixCatalog.standard()).rows
    let one = PathRunner(jobs: 1).results(rows, of: program)
    #expect(one.allSatisfy { $0.outcome.undeterminedBecause != nil })
    #expect(one.filter(\.ranTooLong).count == PathRunner.mostEndless)
    #expect(one.last?.outcome.undeterminedBecause?.contains("not run") == true)
    // What is told does not depend on how many had begun when enough was enough.
    for jobs in [2, 5] { #expect(PathRunner(jobs: jobs).results(rows, of: program) == one) }
  }
}
