import Foundation
import Inspection
import KernelImage
import Mitigation
import Testing

/// One kernel gives one report, whatever it was taken out of.
@Suite(
  "RealKernels: sources",
  .enabled(if: !RealKernels.paths.isEmpty, RealKernels.howTo),
  .enabled(if: RealKernels.isThorough, RealKernels.howToBeThorough))
struct RealKernelsSourcesTests {
  @Test(
    "the boot image and the stripped vmlinux say what their package says",
    arguments: RealKernels.paths.filter { $0.hasSuffix(".deb") })
  func containers(_ path: String) throws {
    let package = try RealKernels.artefact(path)
    let folder = FileManager.default.temporaryDirectory
      .appending(component: "bhbcheck-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let vmlinux = folder.appending(component: "vmlinux")
    try Data(try #require(package.kernel).contents.bytes.raw).write(to: vmlinux)
    let vmlinuz = folder.appending(component: "vmlinuz")
    try extractBootImage(of: path, to: vmlinuz)
    let expected = try comparable(package)
    for file in [vmlinuz, vmlinux] {
      var artefact = try #require(try Artefact.open(path: file.path()).first)
      #expect(artefact.kernel?.contents.bytes.count == package.kernel?.contents.bytes.count)
      artefact.modules = package.modules
      #expect(try comparable(artefact) == expected, "\(file.lastPathComponent) of \(path)")
    }
  }

  @Test("builds of one kernel, stripped or with debug information, have the same report")
  func builds() throws {
    var byBuild: [String: [(path: String, artefact: Artefact)]] = [:]
    for path in RealKernels.paths {
      let artefact = try RealKernels.artefact(path)
      guard let id = try KernelImage(artefact).identity.buildID else { continue }
      byBuild[id, default: []].append((path, artefact))
    }
    let groups = byBuild.values.filter { $0.count > 1 }
    if groups.isEmpty { print("no kernel is there in two builds: -dbg packages are missing") }
    for group in groups {
      let modules = group.lazy.map(\.artefact.modules).first { !$0.isEmpty } ?? []
      let reports = try group.map { path, artefact in
        var artefact = artefact
        artefact.modules = modules
        return (path, try comparable(artefact))
      }
      for (path, report) in reports.dropFirst() {
        #expect(report == reports[0].1, "\(path) and \(reports[0].0)")
      }
      print("one report: \(group.map { URL(filePath: $0.path).lastPathComponent })")
    }
  }

  /// The report as JSON, without what depends on where the kernel was taken out of.
  private func comparable(_ artefact: Artefact) throws -> Data {
    var report = try RealKernels.report(on: artefact)
    #expect(report.error == nil)
    report.path = ""
    report.symbolsFrom = nil
    report.kernel?.size = nil
    report.notes = []
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    return try encoder.encode(report)
  }

  private func extractBootImage(of package: String, to file: URL) throws {
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = [
      "-c", #"dpkg-deb --fsys-tarfile "$1" | tar -xO --wildcards '*/vmlinuz*' >"$2""#, "sh",
      package, file.path(),
    ]
    process.standardInput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
  }
}
