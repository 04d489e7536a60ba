import Foundation
import GRDB
import Inspection
import KernelImage
import Mitigation
import Synchronization
import Testing

@testable import Audit

/// Runs audits over copies of the embedded samples.
@Suite("Audit") final class AuditTests {
  let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(
      component: "audit-\(UUID().uuidString)", directoryHint: .isDirectory)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  private func write(_ name: String, _ bytes: [UInt8]) throws {
    let file = folder.appending(path: name)
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: file)
  }

  private func sample(_ sample: Sample) throws -> [UInt8] {
    let kernel = try #require(sample.artefact.kernel)
    return Array(kernel.contents.bytes.raw)
  }

  private func run(_ database: AuditDatabase, shard: Shard? = nil) throws -> [AuditRow] {
    let auditor = Auditor(
      database: database, inspector: Inspector(matrix: nil), basis: "test", jobs: 2)
    let rows = Mutex<[AuditRow]>([])
    try auditor.run(AuditFiles([folder.path()], shard: shard)) { found, _ in
      rows.withLock { $0 += found }
    }
    return rows.withLock { $0 }.sorted { $0.path < $1.path }
  }

  private func database(_ name: String = "audit.sqlite") throws -> AuditDatabase {
    try AuditDatabase(file: folder.appending(path: "db/\(name)").path())
  }

  private func names(_ rows: [AuditRow]) -> [String] {
    rows.map { URL(filePath: $0.path).lastPathComponent }
  }

  @Test func aSecondRunDoesOnlyWhatIsNew() throws {
    try write("a/vmlinux-long", try sample(.long))
    try write("b/vmlinuz-broken", Array("no kernel".utf8))
    let store = try database()
    let first = try run(store)
    #expect(names(first) == ["vmlinux-long", "vmlinuz-broken"])
    #expect(first.map(\.isKnown) == [false, false])
    #expect(first[0].sequence == .long)
    #expect(first[0].sha256?.count == 64)
    #expect(first[1].error != nil)

    try write("c/vmlinux-short", try sample(.short))
    let second = try run(store)
    #expect(second.map(\.isKnown) == [true, true, false])
    #expect(second[2].sequence == .short)
    let runs = try store.runs()
    #expect(runs.count == 2)
    let changes = try store.changes(from: runs[0], to: runs[1])
    #expect(changes.map(\.kind) == [.new])
    #expect(changes[0].path.hasSuffix("c/vmlinux-short"))
  }

  @Test func whatChangedUnderAPathIsTold() throws {
    try write("vmlinux", try sample(.long))
    let store = try database()
    _ = try run(store)
    try write("vmlinux", try sample(.short))
    _ = try run(store)
    try FileManager.default.removeItem(at: folder.appending(path: "vmlinux"))
    try write("vmlinux-other", try sample(.short))
    _ = try run(store)
    let runs = try store.runs()
    let changed = try store.changes(from: runs[0], to: runs[1])
    #expect(changed.map(\.kind) == [.changed])
    #expect(changed[0].appeared.contains(.noLongSequence))
    #expect(try store.changes(from: runs[1], to: runs[2]).map(\.kind) == [.gone, .new])
  }

  @Test func shardsTogetherAreEverything() throws {
    for index in 0..<12 {
      try write("vmlinux-\(index)", index < 6 ? try sample(.long) : [1, 2, 3])
    }
    let whole = try run(try database("whole"))
    var parts: [AuditDatabase] = []
    var seen: [AuditRow] = []
    for number in 1...3 {
      let part = try database("part-\(number)")
      let shard = try #require(Shard("\(number)/3"))
      seen += try run(part, shard: shard)
      parts.append(part)
    }
    #expect(Set(seen.map(\.path)) == Set(whole.map(\.path)))
    #expect(seen.count == whole.count)
    let merged = try database("merged")
    try merged.merge(parts)
    let rows = try merged.summary().rows
    #expect(rows.map(\.path) == whole.map(\.path))
    #expect(rows.map(\.findings) == whole.map(\.findings))
    // What a shard had inspected is known after the merge, its findings too.
    #expect(try run(merged).allSatisfy { $0.isKnown || $0.error != nil })
    let groups = try merged.summary().groups(by: .finding)
    #expect(groups == (try database("whole").summary().groups(by: .finding)))
  }

  @Test func aMergeThatFailsLeavesNoRun() throws {
    try write("vmlinux", try sample(.long))
    let store = try database()
    _ = try run(store)
    let same = try AuditDatabase(file: folder.appending(path: "db/../db/audit.sqlite").path())
    let error = #expect(throws: AuditError.self) { try store.merge([same]) }
    #expect(error?.message == "cannot be merged into itself")

    let other = try database("other")
    _ = try run(other)
    try other.queue.write { db in try db.execute(sql: "DROP TABLE sighting") }
    #expect(throws: AuditError.self) { try store.merge([other]) }
    #expect(try store.runs().count == 1)
  }

  @Test func aRunThatWasEndedEarlyIsTold() throws {
    try write("vmlinux", try sample(.long))
    let store = try database()
    _ = try run(store)
    #expect(try store.summary().unfinished == nil)
    _ = try store.begin(files: 3)
    let unfinished = try store.summary().unfinished
    #expect(unfinished == Auditor.Progress(done: 0, total: 3))
    #expect(unfinished?.text == "0 of 3 files")
    #expect(try store.summary().json(by: .version).contains(#""unfinished":{"done":0,"total":3}"#))
    #expect(try store.summary(of: 1).unfinished == nil)
  }

  @Test func partsAreNumberedFromOne() {
    #expect(Shard("1/2") != nil)
    for text in ["0/2", "3/2", "1", "1/", "a/b", "1/2/3", "1/0"] { #expect(Shard(text) == nil) }
  }

  @Test func aFileThatIsNoDatabaseIsRefused() throws {
    try write("db/text", Array(String(repeating: "not a database ", count: 100).utf8))
    #expect(throws: AuditError.self) { try database("text") }
  }

  @Test func namesOfKernels() {
    let kernels = [
      "vmlinuz-6.1.0", "vmlinux", "bzImage", "linux-image-6.1.0-9-amd64_6.1.27-1_amd64.deb",
      "kernel-core-6.8.5-301.fc40.x86_64.rpm", "linux-6.9.7.arch1-1-x86_64.pkg.tar.zst",
    ]
    for name in kernels { #expect(AuditFiles.isKernel(Substring(name)), "\(name)") }
    let others = [
      "System.map-6.1.0", "linux-headers-6.1.0-9-amd64_6.1.27-1_amd64.deb", "vmlinux.lds",
      "linux-image-6.1.0-9-amd64-dbg_6.1.27-1_amd64.deb", "kernel-devel-6.8.5.x86_64.rpm",
      "vmlinuz-6.1.0.sig",
    ]
    for name in others { #expect(!AuditFiles.isKernel(Substring(name)), "\(name)") }
  }

  @Test func aPageHoldsNoMarkupOfStrangers() throws {
    var report = ImageReport(path: "<script>alert(1)</script>&\"'\u{1B}")
    report.error = ImageFailure(code: .malformed, message: "<b>")
    let page = AuditPage(AuditSummary(rows: [AuditRow(report, isKnown: false)])).html
    #expect(!page.contains("<script"))
    #expect(!page.contains("<b>"))
    #expect(!page.contains("\u{1B}"))
    #expect(page.contains("&lt;script&gt;"))
  }
}
