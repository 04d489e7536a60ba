import Foundation
import Mitigation
import Testing

@testable import RealBoots

@Suite("Boots that come to nothing") struct BootRunnerTests {
  static let scenario = BootScenario(
    path: BootPath(
      cpu: "a", environment: "b", statement: .silent, commandLineName: "c", commandLine: ""),
    model: .init(
      vendor: "GenuineIntel", family: 6, model: 106, stepping: 6,
      highestExtendedLeaf: 0x8000_000A, features: ["+smep"]),
    leaves: [
      .init(leaf: 7, subleaf: 2, mask: [0, 0, 0, 0x10], value: [0, 0, 0, 0x30]),
      .init(leaf: 1, subleaf: nil, mask: [.max, 0, 0, 0], value: [5, 6, 7, 8]),
    ], msrs: [.init(index: 0x10A, value: 2)], commandLine: "spectre_bhi=off")

  static let targets = BootTargets(end: 0x1000, cpuid: [], rdmsr: [], later: [], memory: [])

  /// A program that stands in for QEMU.
  private func runner(_ script: String) throws -> (BootRunner, URL) {
    let folder = FileManager.default.temporaryDirectory
      .appending(component: "bhbcheck-\(UUID().uuidString)", directoryHint: .isDirectory)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let program = folder.appending(path: "qemu")
    try Data("#!/bin/sh\n\(script)\n".utf8).write(to: program)
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o755], ofItemAtPath: program.path())
    let qemu = try QEMU(path: program.path())
    return (BootRunner(qemu: qemu, timeOut: .seconds(1), usesCache: false), folder)
  }

  private func attempt(_ script: String) throws -> BootAttempt {
    let (runner, folder) = try runner(script)
    defer { try? FileManager.default.removeItem(at: folder) }
    let orders = [BootRunner.Order(scenario: Self.scenario, targets: Self.targets)]
    return try [UInt8](repeating: 1, count: 64).withUnsafeBytes {
      try #require(try runner.run(orders, kernel: $0).first)
    }
  }

  @Test func qemuRefuses() throws {
    let attempt = try attempt(
      "echo 'Error loading uncompressed kernel without PVH ELF Note'; exit 1")
    guard case .failed(let reason) = attempt else { throw Unexpected() }
    #expect(reason.contains("without PVH ELF Note"))
  }

  @Test func qemuHangs() throws {
    guard case .failed(let reason) = try attempt("exec sleep 60") else { throw Unexpected() }
    #expect(reason.contains("no GDB stub"))
  }

  private struct Unexpected: Error {}

  @Test func noQEMUIsSaid() {
    let error = #expect(throws: RealBootError.self) { _ = try QEMU(path: "/nonexistent/qemu") }
    #expect(error?.code == .noQEMU)
  }

  @Test func whatQEMUIsTold() throws {
    let qemu = try QEMU(path: "/bin/sh")
    let words = qemu.arguments(Self.scenario, kernel: "/k", folder: "/f")
    let cpu = try #require(words.firstIndex(of: "-cpu").map { words[$0 + 1] })
    #expect(cpu.hasPrefix("qemu64,vendor=GenuineIntel,family=6,model=106,stepping=6,"))
    #expect(cpu.hasSuffix(",+smep"))
    let line = try #require(words.firstIndex(of: "-append").map { words[$0 + 1] })
    #expect(line == "console=ttyS0 panic=-1 nokaslr spectre_bhi=off loglevel=7")
    #expect(!cpu.contains("level=1"))
    // What a processor lacks must not be there because QEMU has it.
    var scenario = Self.scenario
    scenario.model.highestLeaf = 1
    #expect(
      qemu.arguments(scenario, kernel: "/k", folder: "/f").contains { $0.contains(",level=1,") })
  }

  @Test func suppliedBitsStandOverQEMUs() {
    let answer = Self.scenario.answer(leaf: 7, subleaf: 2, qemu: [1, 2, 3, 0xF])
    #expect(answer == [1, 2, 3, 0x1F])
    #expect(Self.scenario.answer(leaf: 7, subleaf: 0, qemu: [1, 2, 3, 4]) == [1, 2, 3, 4])
    // A leaf without subleaves is asked with anything in ECX.
    #expect(Self.scenario.answer(leaf: 1, subleaf: 99, qemu: [0, 0, 0, 0]) == [5, 0, 0, 0])
    #expect(Self.scenario.msr(0x10A) == 2 && Self.scenario.msr(0x48) == nil)
  }

  @Test func theCacheTellsScenariosApart() throws {
    let (runner, folder) = try runner("exit 0")
    defer { try? FileManager.default.removeItem(at: folder) }
    let cache = [UInt8](repeating: 2, count: 64).withUnsafeBytes {
      BootCache(kernel: $0, qemu: runner.qemu, folder: folder.path() + "cache")
    }
    let observation = BootObservation(
      tier: .full, cpuid: [], msrs: [], log: ["a"], sysfs: nil, memory: [])
    cache.keep(observation, Self.scenario, Self.targets)
    #expect(cache.observation(Self.scenario, Self.targets, .full) == observation)
    #expect(cache.observation(Self.scenario, Self.targets, .fast) == nil)
    var other = Self.scenario
    other.commandLine = ""
    #expect(cache.observation(other, Self.targets, .full) == nil)
    // What a path is called changes no boot.
    other = Self.scenario
    other.path.cpu = "z"
    #expect(cache.observation(other, Self.targets, .full) == observation)
  }
}
