import Foundation
import Testing

/// Each number of docs/report.md's table, as a process leaves it.
@Suite("Exit status", .enabled(if: Tool.hasSamples, "to build them: make -C vmlinux-samples"))
struct ExitStatusTests {
  let short = Tool.sample("short")
  let long = Tool.sample("long-variables")
  let folder: Folder
  /// A file that is no image, no report and no CPUID dump.
  let text: String

  /// Options that leave one path, which cannot be run to its end.
  let undetermined = ["--cpu", "ice-lake-sp", "--hypervisor", "xen-pv"]

  init() throws {
    folder = try Folder()
    text = try folder.write("text", "This is no kernel.\n")
  }

  @Test func inspect() throws {
    #expect(try Tool.run("inspect", "--static", long).status == 0)
    #expect(try Tool.run("inspect", "--static", short).status == 1)
    #expect(try Tool.run("inspect", "--static", short, "--nonsense").status == 64)
    #expect(try Tool.run("inspect", text).status == 65)
    #expect(try Tool.run("inspect", "/nonexistent").status == 66)
    // A finding wins over an input that failed.
    #expect(try Tool.run("inspect", "--static", "/nonexistent", short).status == 1)
    #expect(try Tool.run("inspect", "--static", "/nonexistent", text, long).status == 66)
  }

  @Test func paths() throws {
    let row = ["--cpu", "ice-lake-sp", "--hypervisor", "kvm"]
    #expect(try Tool().run(["paths", long] + row).status == 0)
    #expect(try Tool().run(["paths", Tool.sample("absent")] + row).status == 1)
    #expect(try Tool().run(["paths", long] + undetermined).status == 2)
    #expect(try Tool.run("paths", long, "--cpu", "no-such-cpu").status == 64)
    #expect(try Tool.run("paths", long, "--msr", "1=1").status == 64)
    #expect(try Tool.run("paths", long, "--cpuid-dump", text).status == 65)
    #expect(try Tool.run("paths", long, "--cpuid-dump", "/nonexistent").status == 66)
    #expect(try Tool.run("paths", text).status == 65)
    #expect(try Tool.run("paths", "/nonexistent").status == 66)
  }

  @Test func diff() throws {
    #expect(try Tool.run("diff", long, long).status == 0)
    #expect(try Tool.run("diff", short, long).status == 0)
    #expect(try Tool.run("diff", long, short).status == 1)
    let report = try Tool().run(["paths", long, "--format", "json"] + undetermined)
    let open = try folder.write("open.json", report.output)
    #expect(try Tool.run("diff", open, open).status == 2)
    #expect(try Tool.run("diff", long).status == 64)
    #expect(try Tool.run("diff", long, long, "--contract", "none-such").status == 64)
    #expect(try Tool.run("diff", long, text).status == 65)
    #expect(try Tool.run("diff", "/nonexistent", text).status == 66)
  }

  @Test func gate() throws {
    #expect(try Tool.run("gate", long).status == 0)
    #expect(try Tool.run("gate", short).status == 1)
    #expect(try Tool.run("gate", long, "--require", "detection=none-such").status != 0)
    #expect(try Tool.run("gate", long, "--require", "sites=vmexit,bpf").status == 1)
    #expect(try Tool.run("gate", long, "--require", "adequate=no-such-environment").status == 2)
    #expect(try Tool.run("gate", long, "--require", "nonsense").status == 64)
    #expect(try Tool.run("gate", long, "--allow", "BHB999").status == 64)
    #expect(try Tool.run("gate", text).status == 65)
    #expect(try Tool.run("gate", "/nonexistent").status == 66)
    #expect(try Tool.run("gate", long, "--baseline", "/nonexistent").status == 66)
    #expect(try Tool.run("gate", short, "--baseline", short).status == 0)
  }

  @Test func gateInABisection() throws {
    #expect(try Tool.run("gate", "--bisect", long).status == 0)
    #expect(try Tool.run("gate", "--bisect", short).status == 1)
    #expect(try Tool.run("gate", "--bisect", text).status == 125)
    #expect(try Tool.run("gate", "--bisect", "/nonexistent").status == 125)
    #expect(
      try Tool.run("gate", "--bisect", long, "--require", "adequate=no-such-environment").status
        == 125)
    #expect(try Tool.run("gate", "--bisect", long, "--nonsense").status == 128)
    #expect(try Tool.run("gate", "--bisect=yes", long).status == 128)
    #expect(try Tool.run("gate", "--bisect", long, "--fail-on", "fatal").status == 128)
    #expect(try Tool.run("gate", "--bisect", long, "--contract", "none-such").status == 128)
    #expect(try Tool.run("gate", "--bisect", long, "--settings", "/nonexistent").status == 128)
    #expect(try Tool.run("gate", "--bisect", long, "--baseline", "/nonexistent").status == 128)
    #expect(try Tool.run("gate", "--bisect", long, "--module", "/nonexistent").status == 128)
    let full = Tool(standardOutput: FileHandle(forWritingAtPath: "/dev/full"))
    #expect(try full.run(["gate", "--bisect", long]).status == 128)
  }

  @Test func aReaderThatGoesAwayIsNoError() throws {
    let shell = Tool(executable: URL(filePath: "/bin/sh"))
    let line = "'\(Tool.built.path())' inspect --static --format json '\(long)'"
    // The reader ends before a line is written.
    let result = try shell.run(
      ["-c", "{ sleep 0.3; \(line); echo $? >&2; } | true"])
    #expect(result.errors == "0\n")
  }

  @Test func aFullDiskIsAnError() throws {
    let full = Tool(standardOutput: FileHandle(forWritingAtPath: "/dev/full"))
    for arguments in [["inspect", "--static", short], ["diff", short, long], ["--help"]] {
      let result = try full.run(arguments)
      #expect(result.status == 70, "\(arguments)")
      #expect(result.errors == "bhbcheck: standard output: No space left on device\n")
    }
  }
}
