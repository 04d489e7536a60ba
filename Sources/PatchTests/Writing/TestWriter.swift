import Foundation

/// Writes the files of a plan.
public struct TestWriter: Sendable {
  /// A file with its name below the folder it is written to.
  public struct File: Sendable, Hashable {
    public var name: String
    public var text: String
    public var isExecutable: Bool
  }

  public init() {}

  /// All files of a plan: the same bytes for the same plan.
  ///
  /// An empty plan has no tests, only what says why.
  public func files(_ plan: TestPlan) throws -> [File] {
    let context = PlanContext(plan: plan).values
    var files = [
      File(name: "plan.json", text: plan.json, isExecutable: false),
      File(
        name: TestTemplate.readme.rawValue, text: try TestTemplate.readme.rendered(context),
        isExecutable: false),
    ]
    guard plan.emptyBecause == nil, !plan.tests.isEmpty else { return files }
    let suite = try TestTemplate.kunit.rendered(context)
    // The last line's end is no line of its own.
    let lines = suite.split(separator: "\n", omittingEmptySubsequences: false)
      .reversed().drop(while: \.isEmpty).reversed()
    var patch = context
    patch["count"] = lines.count
    patch["lines"] = lines.map { "+\($0)" }.joined(separator: "\n")
    files.append(
      File(
        name: TestTemplate.kunitPatch.rawValue, text: try TestTemplate.kunitPatch.rendered(patch),
        isExecutable: false))
    for template in [TestTemplate.kselftest, .github, .gitlab] {
      files.append(
        File(
          name: template.rawValue, text: try template.rendered(context),
          isExecutable: template == .kselftest))
    }
    return files
  }

  /// Writes them; the folder is made if it is not there.
  ///
  /// - Throws: `PatchError` with the file that cannot be written.
  public func write(_ files: [File], to folder: String) throws(PatchError) {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw PatchError(file: folder, message: error.localizedDescription, isMissing: true)
    }
    for file in files {
      let path = "\(folder)/\(file.name)"
      do {
        try Data(file.text.utf8).write(to: URL(filePath: path))
        if file.isExecutable {
          try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        }
      } catch {
        throw PatchError(file: path, message: error.localizedDescription, isMissing: true)
      }
    }
  }
}
