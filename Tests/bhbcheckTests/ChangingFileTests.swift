import Foundation
import Testing

/// Images that are cut off while they are inspected.
@Suite("Changing files", .enabled(if: Tool.hasSamples, "to build them: make -C vmlinux-samples"))
struct ChangingFileTests {
  let folder: Folder

  init() throws { folder = try Folder() }

  /// Cuts a file off as soon as a run has mapped it. The run advances by moments, so that it cannot
  /// have come to its end before anybody looked.
  private func cut(_ file: String, to length: Int, during arguments: [String]) throws -> Tool.Result
  {
    try Tool().run(arguments) { process in
      while kill(process, SIGSTOP) == 0 {
        defer { kill(process, SIGCONT) }
        guard let maps = FileHandle(forReadingAtPath: "/proc/\(process)/maps"),
          let text = try? maps.readToEnd()
        else { return }
        if String(decoding: text, as: UTF8.self).contains(file) {
          #expect(truncate(file, off_t(length)) == 0)
          return
        }
        kill(process, SIGCONT)
        usleep(2000)
      }
    }
  }

  @Test(arguments: [0, 64, 4096, 20_000])
  func isOneLineAndAStatus(length: Int) throws {
    let kernel = try Data(contentsOf: URL(filePath: Tool.sample("short")))
    let file = try folder.write("vmlinux", kernel)
    let result = try cut(file, to: length, during: ["inspect", "--format", "json", file])
    #expect(result.status == 66, "\(result.errors)")
    #expect(result.errorLines.count == 1, "\(result.errors)")
    #expect(result.errors.contains("by the time it was read"), "\(result.errors)")
    let image = try #require(result.objects("images").first)
    #expect((image["error"] as? [String: Any])?["code"] as? String == "unreadable")
    #expect((image["paths"] as? [Any])?.isEmpty == true)
  }

  @Test func isARowOfAnAuditAndNotTheEndOfIt() throws {
    let kernel = try Data(contentsOf: URL(filePath: Tool.sample("short")))
    let changing = try folder.write("vmlinux-1", kernel)
    let other = try folder.write("vmlinux-2", kernel + Data([0]))
    let result = try cut(
      changing, to: 64,
      during: [
        "audit", "--jobs", "1", "--format", "json", "--database", folder.path("db"), changing,
        other,
      ])
    #expect(result.status == 0, "\(result.errors)")
    let rows = result.output.split(separator: "\n")
    #expect(rows.count == 2)
    #expect(rows.first?.contains("unreadable") == true, "\(result.output)")
    #expect(rows.last?.contains("unreadable") == false, "\(result.output)")
    // Its content was not kept: as it is now, it is looked at anew.
    let again = try Tool.run(
      "audit", "--format", "json", "--database", folder.path("db"), changing, other)
    #expect(again.output.contains("truncated") || again.output.contains("malformed"), "\(again)")
  }
}
