import Foundation
import Testing

/// `git bisect run bhbcheck gate --bisect` on a history whose commits hold samples.
@Suite("Bisection", .enabled(if: Tool.hasSamples, "to build them: make -C vmlinux-samples"))
struct BisectTests {
  @Test func findsTheFirstBadCommit() throws {
    let repository = try Repository()
    let history = [
      ("right", "long-variables"), ("another shape", "long-alternative"),
      ("a tree that does not build", nil), ("still right", "nofence"),
      ("the short one", "short"), ("worse", "deficient"), ("no better", "short"),
    ]
    for (subject, sample) in history { try repository.commit(subject, sample: sample) }
    try repository.git("bisect", "start", "HEAD", "HEAD~\(history.count - 1)")
    let log = try repository.git(
      "bisect", "run", Tool.built.path(), "gate", "--bisect", "vmlinux")
    #expect(log.contains("is the first bad commit"), "\(log)")
    let found = try repository.git("log", "-1", "--format=%s", "refs/bisect/bad")
    #expect(found == "the short one\n")
  }

  @Test func aBaselineDecidesWhatIsBad() throws {
    let repository = try Repository()
    for (subject, sample) in [
      ("short all along", "short"), ("no worse", "short"), ("too few rounds", "deficient"),
      ("still too few", "deficient"),
    ] { try repository.commit(subject, sample: sample) }
    let baseline = try Tool.run("inspect", "--format", "json", Tool.sample("short"))
    let file = try repository.outside.write("baseline.json", baseline.output)
    try repository.git("bisect", "start", "HEAD", "HEAD~3")
    try repository.git(
      "bisect", "run", Tool.built.path(), "gate", "--bisect", "--baseline", file, "vmlinux")
    let found = try repository.git("log", "-1", "--format=%s", "refs/bisect/bad")
    #expect(found == "too few rounds\n")
  }

  @Test func aMisspeltOptionEndsIt() throws {
    let repository = try Repository()
    for subject in ["one", "two", "three", "four"] {
      try repository.commit(subject, sample: subject == "four" ? "short" : "long-variables")
    }
    try repository.git("bisect", "start", "HEAD", "HEAD~3")
    let result = try repository.tryGit(
      "bisect", "run", Tool.built.path(), "gate", "--bisect", "--nonsense", "vmlinux")
    #expect(result.status != 0)
    #expect(!result.output.contains("is the first bad commit"))
  }

  /// A git repository with one file, vmlinux, in a folder that goes with it.
  private final class Repository {
    let outside: Folder
    private let folder: URL

    init() throws {
      outside = try Folder()
      folder = outside.url.appending(component: "tree", directoryHint: .isDirectory)
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try git("init", "--quiet")
    }

    /// Commits a sample as vmlinux; nil: something that is no kernel.
    func commit(_ subject: String, sample: String?) throws {
      let file = folder.appending(component: "vmlinux")
      let data =
        try sample.map { try Data(contentsOf: URL(filePath: Tool.sample($0))) }
        ?? Data("cc: error\n".utf8)
      try data.write(to: file)
      try Data(subject.utf8).write(to: folder.appending(component: "log"))
      try git("add", ".")
      try git("commit", "--quiet", "-m", subject)
    }

    @discardableResult
    func git(_ arguments: String...) throws -> String {
      let result = try run(arguments)
      #expect(result.status == 0, "git \(arguments): \(result.output)\(result.errors)")
      return result.output
    }

    func tryGit(_ arguments: String...) throws -> Tool.Result { try run(arguments) }

    private func run(_ arguments: [String]) throws -> Tool.Result {
      // Nobody's own configuration, hooks or signatures.
      let environment = [
        "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
        "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org", "LC_ALL": "C",
      ]
      let tool = Tool(
        executable: URL(filePath: "/usr/bin/env"), folder: folder, environment: environment)
      return try tool.run(["git"] + arguments)
    }
  }
}
