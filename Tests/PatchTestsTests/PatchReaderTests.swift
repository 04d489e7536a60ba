import Foundation
import PatchTests
import Testing

@Suite("Patches are read") struct PatchReaderTests {
  @Test func ourSeries() throws {
    let patches = try Series.ours()
    // The cover letter has no diff.
    #expect(patches.count == 9)
    #expect(patches.first?.subject == "x86/bhi: Add a long BHB clearing sequence")
    #expect(
      patches.first?.files.map(\.path) == [
        "arch/x86/entry/entry_64.S", "arch/x86/include/asm/cpufeatures.h",
      ])
    let hunk = try #require(patches.first?.files.first?.hunks.first)
    #expect(hunk.oldStart == 1504 && hunk.oldCount == 10 && hunk.newCount == 18)
    #expect(hunk.section == "SYM_CODE_END(rewind_stack_and_make_dead)")
    #expect(hunk.added.count == 12 && hunk.removed.count == 4)
    // Counted by `diffstat`.
    #expect(patches.flatMap(\.files).flatMap(\.hunks).flatMap(\.added).count > 300)
  }

  @Test func anMboxHoldsASeries() throws {
    let mail = "Date: today\nSubject: [PATCH 1/2] One\n\nText that says diff, and --- so.\n---\n"
    let one = Series.patch("a.c", [" x", "-y", "+z"])
    let text =
      "From 1234 Mon Sep 17 00:00:00 2001\nFrom: a@example.org\n\(mail)\(one)-- \n2.39\n\n"
      + "From 5678 Mon Sep 17 00:00:00 2001\nFrom: a@example.org\nSubject: [PATCH 2/2] Two,\n"
      + " folded\n\nText\n---\n\(one)-- \n2.39\n"
    let patches = try Series.read(text)
    #expect(patches.map(\.subject) == ["One", "Two, folded"])
    #expect(patches.allSatisfy { $0.files.count == 1 })
  }

  @Test func plainDiffsNewFilesAndMissingLineEnds() throws {
    let text = """
      --- /dev/null
      +++ b/new.c\t2026-01-01
      @@ -0,0 +1 @@
      +int x;
      \\ No newline at end of file
      --- old.c
      +++ old.c
      @@ -3 +3 @@ int f(void)
      -a
      \\ No newline at end of file
      +b
      \\ No newline at end of file
      """
    let files = try Series.read(text).flatMap(\.files)
    #expect(files.map(\.path) == ["new.c", "old.c"])
    #expect(files.map(\.isNew) == [true, false])
  }

  @Test func renamesAndBinariesHaveNoHunks() throws {
    let text = """
      diff --git a/a.c b/b.c
      similarity index 100%
      rename from a.c
      rename to b.c
      diff --git a/x.bin b/x.bin
      index 1..2 100644
      GIT binary patch
      literal 3
      abc

      """ + Series.patch("c.c", ["-x", "+y"])
    #expect(try Series.read(text).flatMap(\.files).map(\.path) == ["b.c", "x.bin", "c.c"])
  }

  /// What is wrong, the line that is to be named, and a word of the message.
  static let malformed: [(String, Int?, String)] = [
    ("", nil, "no unified diff"),
    ("just text\nand more\n", nil, "no unified diff"),
    ("--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a\n", 3, "ends within this hunk"),
    ("--- a/x\n+++ b/x\n@@ -1,1 +1,1 @@\n a\n+b\n", 5, "more lines"),
    ("--- a/x\n+++ b/x\n@@ -1,1 +1,x @@\n a\n", 3, "expected `@@"),
    ("--- a/x\n+++ b/x\n@@ -1,-1 +1 @@\n a\n", 3, "expected `@@"),
    ("--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\nb\n", 5, "not a line of a hunk"),
    ("--- a/x\n+++ b/x\n@@ -99999999999999999999 +1 @@\n a\n", 3, "expected `@@"),
    ("text\n@@ -1 +1 @@\n-a\n+b\n", 2, "without the file"),
    ("--- a/x\n+++ b/x\nnothing\n", 3, "without a hunk"),
    ("--- b/x\n+++ a/x\n@@ -1 +1 @@\n-a\n+b\n", 1, "reversed"),
  ]

  @Test(arguments: malformed)
  func errorsNameTheLine(text: String, line: Int?, message: String) throws {
    let error = #expect(throws: PatchError.self) { _ = try Series.read(text) }
    #expect(error?.line == line)
    #expect(error?.message.contains(message) == true, "\(error?.description ?? "")")
    if let line { #expect(error?.description.hasPrefix("a.patch:\(line): ") == true) }
  }

  @Test func aMissingFileIsNoMalformedOne() {
    let error = #expect(throws: PatchError.self) {
      _ = try PatchReader.patches(inFile: "/nonexistent/x.patch")
    }
    #expect(error?.exitStatus == 66)
  }

  @Test func linesAndBytesAreCounted() throws {
    let most = 2_000_000
    let patch = Series.patch("a.c", [" x", "-y", "+z"])
    let rest = most - patch.split(separator: "\n", omittingEmptySubsequences: false).count
    #expect(try Series.read(String(repeating: "\n", count: rest) + patch).count == 1)
    let error = #expect(throws: PatchError.self) {
      _ = try Series.read(String(repeating: "\n", count: rest + 1) + patch)
    }
    #expect(error?.message == "has more than 2000000 lines")

    let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).patch")
    defer { try? FileManager.default.removeItem(at: file) }
    try Data().write(to: file)
    // A hole, which takes no room.
    try FileHandle(forWritingTo: file).truncate(atOffset: 64 << 20 | 1)
    let large = #expect(throws: PatchError.self) {
      _ = try PatchReader.patches(inFile: file.path)
    }
    #expect(large?.message == "has more than 67108864 bytes")
    #expect(large?.exitStatus == 65)
  }

  /// No text makes it stop or read beyond its end.
  @Test func cutsOfOurSeries() throws {
    let file = Series.folder.appending(
      path: "0001-x86-bhi-Add-a-long-BHB-clearing-sequence.patch")
    let text = try String(contentsOf: file, encoding: .utf8)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    for count in stride(from: 0, to: lines.count, by: 3) {
      let cut = lines.prefix(count).joined(separator: "\n")
      _ = try? Series.read(cut)
      _ = try? Series.read(lines.dropFirst(count).joined(separator: "\n"))
    }
  }
}
