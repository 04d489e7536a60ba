import Foundation
import Testing

@testable import KernelImage

/// Files that change while they are mapped.
@Suite("Mapped files that change") final class MappingGuardTests {
  private let folder = TestFolder()

  private func file(_ count: Int) -> String {
    folder.write("image", [UInt8](repeating: 0x5a, count: count))
  }

  private func mapped(_ path: String) throws -> Artefact.Contents {
    Artefact.Contents(try ImageBytes.mapping(path: path))
  }

  private func change(of contents: Artefact.Contents) -> ImageError? {
    do throws(ImageError) {
      try contents.bytes.requireUnchanged()
      return nil
    } catch {
      return error
    }
  }

  private func isWhole(_ contents: Artefact.Contents) -> Bool {
    contents.whole(upTo: contents.bytes.count).kept
  }

  @Test func aFileThatStaysIsUnchanged() throws {
    let contents = try mapped(file(100_000))
    #expect(isWhole(contents))
    #expect(change(of: contents) == nil)
  }

  /// What is gone reads as zeros, in place of a SIGBUS that ends the process, and is told.
  @Test(arguments: [0, 1, 4096, 5000, 99_999])
  func aFileThatShrinks(length: Int) throws {
    let path = file(100_000)
    let contents = try mapped(path)
    #expect(truncate(path, length) == 0)
    let (kept, gone) = contents.whole(upTo: length)
    #expect(kept && gone)
    let error = try #require(change(of: contents))
    #expect(error.code == .unreadable)
    #expect(error.message.contains("\(length) by the time"))
    #expect(error.code.isMissingInput)
  }

  @Test func severalThreadsMeetTheSameEnd() throws {
    let path = file(16 << 20)
    let contents = try mapped(path)
    #expect(truncate(path, 0) == 0)
    DispatchQueue.concurrentPerform(iterations: 8) { _ in
      let (_, gone) = contents.whole(upTo: 0)
      #expect(gone)
    }
    #expect(change(of: contents)?.code == .unreadable)
  }

  @Test func aFileThatIsWrittenTo() throws {
    let path = file(5000)
    let contents = try mapped(path)
    // A clock tick of the file system later.
    usleep(20_000)
    let handle = try FileHandle(forWritingTo: URL(filePath: path))
    try handle.write(contentsOf: [1])
    try handle.close()
    #expect(change(of: contents)?.message.contains("written to") == true)
  }

  @Test func aFileThatGoesAwayStaysReadable() throws {
    let path = file(5000)
    let contents = try mapped(path)
    #expect(unlink(path) == 0)
    #expect(isWhole(contents))
    #expect(change(of: contents) == nil)
  }

  /// Places of mappings that ended are used again.
  @Test func mappingsAreWatchedOneAfterTheOther() throws {
    let path = file(5000)
    for _ in 0..<2 * MappingGuard.capacity { _ = try mapped(path) }
  }

  /// Whatever the parsers made of a file that changed under them is not what is told.
  @Test func theChangeIsTheErrorThatIsTold() throws {
    let kernel = SmallElf(code: [UInt8](repeating: 0x90, count: 1 << 16)).bytes
    let path = folder.write("vmlinux", kernel)
    let contents = try mapped(path)
    #expect(truncate(path, 64) == 0)
    do throws(ImageError) {
      _ = try contents.unchanged { () throws(ImageError) in
        try Artefact.artefacts(in: contents, path: path, layers: [])
      }
      Issue.record("no error")
    } catch {
      #expect(error.code == .unreadable, "\(error)")
    }
  }
}

extension Artefact.Contents {
  /// Whether the first `length` bytes are as they were written, and the others zeros.
  fileprivate func whole(upTo length: Int) -> (kept: Bool, gone: Bool) {
    let raw = bytes.raw
    return (raw[..<length].allSatisfy { $0 == 0x5a }, raw[length...].allSatisfy { $0 == 0 })
  }
}
