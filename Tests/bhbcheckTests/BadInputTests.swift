import Foundation
import Testing

/// What is no kernel image gets one clear line, and one valid document.
@Suite("Bad input", .enabled(if: Tool.hasSamples, "to build them: make -C vmlinux-samples"))
struct BadInputTests {
  let folder: Folder
  let kernel: Data

  init() throws {
    folder = try Folder()
    kernel = try Data(contentsOf: URL(filePath: Tool.sample("short")))
  }

  @Test(arguments: [1, 3, 4, 16, 52, 63, 64, 65, 4096, -65, -64, -1])
  func truncated(length: Int) throws {
    let kept = length < 0 ? kernel.count + length : length
    let file = try folder.write("cut", kernel.prefix(kept))
    let error = try refused(file)
    #expect(
      ["truncated", "malformed", "unsupported-format"].contains(error.code), "\(error)")
  }

  @Test func empty() throws {
    _ = try refused(try folder.write("empty", Data()))
  }

  @Test func notAnELFFile() throws {
    let error = try refused(try folder.write("text", "This is no kernel.\n"))
    #expect(error.code == "unsupported-format")
    #expect(error.offset == "0x0000000000000000")
    #expect(error.message.contains("is no ELF file"))
  }

  @Test func anotherArchitecture() throws {
    var bytes = kernel
    // e_machine: EM_AARCH64.
    bytes[18] = 183
    let error = try refused(try folder.write("arm64", bytes))
    #expect(error.code == "wrong-architecture")
    #expect(error.offset != nil)
  }

  @Test func aSectionThatGoesBeyondTheFile() throws {
    var bytes = kernel
    let sections = Int(try #require(bytes.number(at: 0x28)))
    // sh_size of the first section with contents.
    bytes.set(0x7fff_ffff_ffff_0000, at: sections + 64 + 32)
    let error = try refused(try folder.write("sections", bytes))
    #expect(["truncated", "malformed"].contains(error.code), "\(error)")
    #expect(error.offset != nil, "\(error)")
  }

  @Test func aPayloadThatLies() throws {
    let packed = try gzip(kernel)
    for (name, payload) in [
      ("whole", packed), ("cut", packed.prefix(packed.count / 2)),
      ("noise", Data(packed.prefix(10)) + Data(repeating: 0xa5, count: 4096)),
      ("nothing", Data(repeating: 0, count: 4096)),
    ] {
      let file = try folder.write(name, bootImage(payload))
      if name == "whole" {
        #expect(try Tool.run("inspect", "--static", file).status == 1)
      } else {
        let error = try refused(file)
        #expect(error.offset != nil, "\(name): \(error)")
      }
    }
    // More is stated than there is.
    var image = bootImage(packed)
    image.set(UInt64(0x7fff_ffff), at: 0x24c, bytes: 4)
    #expect(try refused(try folder.write("stated", image)).code == "truncated")
  }

  @Test func anArchiveWithoutAKernel() throws {
    try folder.write("readme", "no kernel here\n")
    let archive = folder.path("archive.tar")
    let tar = Tool(executable: URL(filePath: "/bin/tar"), folder: folder.url)
    #expect(try tool(tar, ["cf", archive, "readme"]))
    #expect(try refused(archive).code == "no-kernel")
  }

  @Test func aFolderWithoutAKernel() throws {
    let empty = try Folder()
    #expect(try refused(empty.url.path()).code == "no-kernel")
  }

  @Test func aFileThatIsNotThere() throws {
    let error = try refused(folder.path("missing"), status: 66)
    #expect(error.code == "not-found")
  }

  @Test func noPermission() throws {
    let file = try folder.write("secret", kernel)
    try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: file)
    if getuid() != 0 {
      #expect(try refused(file, status: 66).code == "no-permission")
      return
    }
    // Root may read everything: somebody else tries, with a copy that he may run.
    let copy = folder.path("bhbcheck")
    try FileManager.default.copyItem(at: Tool.built, to: URL(filePath: copy))
    let nobody = Tool(executable: URL(filePath: "/usr/bin/setpriv"), folder: folder.url)
    let result = try nobody.run([
      "--reuid=65534", "--clear-groups", "--", copy, "inspect", "--format", "json", file,
    ])
    #expect(result.status == 66, "\(result.errors)")
    let error = result.objects("images").first?["error"] as? [String: Any]
    #expect(error?["code"] as? String == "no-permission")
    #expect(result.errorLines.count == 1)
  }

  @Test func theGoodOnesOfSeveralAreReported() throws {
    let bad = try folder.write("bad", "nothing")
    let missing = folder.path("missing")
    let good = Tool.sample("long-variables")
    let result = try Tool.run("inspect", "--static", "--format", "json", bad, good, missing)
    #expect(result.status == 66)
    #expect(result.errorLines.count == 2)
    let images = result.objects("images")
    #expect(images.compactMap { $0["path"] as? String } == [bad, good, missing])
    #expect(images.map { $0["error"] is NSNull } == [false, true, false])
    #expect(images[1]["sequence"] is [String: Any])
    let text = try Tool.run("inspect", "--static", bad, good, missing)
    #expect(text.output.contains("\(good): "))
    #expect(text.output.contains("\(bad): not inspected"))
  }

  // MARK: What must hold of every refusal

  struct Refusal {
    var code: String
    var message: String
    var offset: String?
  }

  /// Inspects `file` in both formats: the status, one line on standard error that names the file,
  /// and one document that holds the same error.
  private func refused(_ file: String, status: Int32 = 65) throws -> Refusal {
    let text = try Tool.run("inspect", file)
    let json = try Tool.run("inspect", "--format", "json", file)
    for result in [text, json] {
      #expect(result.status == status, "\(result.errors)")
      #expect(result.errorLines.count == 1, "\(result.errors)")
      #expect(result.errors.hasPrefix("bhbcheck: \(file): "), "\(result.errors)")
    }
    #expect(text.output.split(separator: "\n").count == 1, "\(text.output)")
    let images = json.objects("images")
    #expect(images.count == 1)
    let image = try #require(images.first, "\(json.output)")
    #expect(image["path"] as? String == file)
    let error = try #require(image["error"] as? [String: Any])
    let refusal = Refusal(
      code: error["code"] as? String ?? "", message: error["message"] as? String ?? "",
      offset: error["offset"] as? String)
    #expect(!refusal.message.isEmpty && !refusal.message.contains("\n"))
    #expect(text.errors.contains(refusal.message))
    #expect(refusal.offset == nil || text.errors.contains("at offset 0x"))
    return refusal
  }

  // MARK: Files

  private func gzip(_ data: Data) throws -> Data {
    let file = try folder.write("plain", data)
    #expect(try tool(Tool(executable: URL(filePath: "/bin/gzip")), ["-kf", file]))
    return try Data(contentsOf: URL(filePath: file + ".gz"))
  }

  private func tool(_ tool: Tool, _ arguments: [String]) throws -> Bool {
    try tool.run(arguments).status == 0
  }

  /// A boot image around `payload` (Documentation/arch/x86/boot.rst).
  private func bootImage(_ payload: Data) -> Data {
    let (setup, start) = (4 * 512, 0x40)
    var image = Data(repeating: 0, count: setup + start)
    image[0x1f1] = 3
    image.set(0xaa55, at: 0x1fe, bytes: 2)
    image.replaceSubrange(0x202..<0x206, with: Data("HdrS".utf8))
    image.set(0x020f, at: 0x206, bytes: 2)
    image.set(UInt64(start), at: 0x248, bytes: 4)
    image.set(UInt64(payload.count), at: 0x24c, bytes: 4)
    return image + payload + Data(repeating: 0xcc, count: 64)
  }
}

extension Data {
  /// The 64-bit number at `offset`, little endian; nil beyond the end.
  fileprivate func number(at offset: Int) -> UInt64? {
    guard offset + 8 <= count else { return nil }
    return self[offset..<offset + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// Writes the lowest `bytes` of `value` at `offset`, little endian.
  fileprivate mutating func set(_ value: UInt64, at offset: Int, bytes: Int = 8) {
    for index in 0..<bytes {
      self[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
    }
  }
}
