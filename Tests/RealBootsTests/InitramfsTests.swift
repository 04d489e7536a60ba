import Foundation
import Testing

@testable import RealBoots

@Suite("What a boot starts with") struct InitramfsTests {
  @Test func theProgramIsAnExecutable() throws {
    let image = InitProgram.image
    #expect(image.prefix(4) == [0x7F, 0x45, 0x4C, 0x46])
    // ET_EXEC of EM_X86_64, with one program header behind the file header.
    #expect(image[16] == 2 && image[18] == 62 && image[56] == 1)
    #expect(image.count < 1024)
    let text = String(decoding: image, as: UTF8.self)
    #expect(text.contains("/sys/devices/system/cpu/vulnerabilities/spectre_v2"))
    #expect(text.contains(InitProgram.endMark))
  }

  @Test func theArchiveIsRead() throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/cpio")
    guard FileManager.default.isExecutableFile(atPath: "/usr/bin/cpio") else {
      print("cpio is not installed: the archive's entries were not listed")
      return
    }
    process.arguments = ["-it", "--quiet"]
    let (input, output) = (Pipe(), Pipe())
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    try input.fileHandleForWriting.write(contentsOf: Data(Initramfs.archive))
    try input.fileHandleForWriting.close()
    let names = String(
      decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(names.split(separator: "\n") == ["dev", "dev/console", "sys", "init"])
  }

  @Test func theArchiveIsAligned() {
    let archive = Initramfs.archive
    #expect(archive.count.isMultiple(of: 4))
    #expect(archive.prefix(6) == Array("070701".utf8)[...])
  }
}

@Suite("What a boot prints") struct ConsoleTests {
  @Test func linesLoseTheirTime() {
    let console = Console(
      text: "[    0.123456] Spectre V2 : x\r\n[drm] y\n\n@@ spectre_v2 Mitigation: z\r\n@@ end\r\n")
    #expect(console.log.prefix(2) == ["Spectre V2 : x", "[drm] y"])
    #expect(console.sysfs == "Mitigation: z")
  }

  @Test func noLineIsNone() {
    #expect(Console(text: "a\n@@ spectre_v2 \n@@ end\n").sysfs == nil)
    #expect(Console(text: "").sysfs == nil)
  }
}

@Suite("GDB's protocol") struct GDBRemoteTests {
  @Test func hex() throws {
    #expect(GDBRemote.hex([0, 0xAB, 0xFF]) == "00abff")
    #expect(try GDBRemote.bytes("00abff") == [0, 0xAB, 0xFF])
    // What the stub does not know.
    #expect(try GDBRemote.bytes("xx01") == [0, 1])
    #expect(throws: RealBootError.self) { try GDBRemote.bytes("E?") }
  }
}

@Suite("Fingerprints") struct FingerprintTests {
  @Test func everyByteCounts() {
    func text(_ bytes: [UInt8]) -> String {
      var fingerprint = Fingerprint()
      fingerprint.add(bytes)
      return fingerprint.text
    }
    let bytes = (0..<100).map { UInt8($0) }
    var seen: Set<String> = [text(bytes)]
    for index in bytes.indices {
      var changed = bytes
      changed[index] ^= 0x80
      #expect(seen.insert(text(changed)).inserted)
    }
    #expect(seen.insert(text(bytes + [0])).inserted)
    #expect(text(bytes).count == 32)
  }
}
