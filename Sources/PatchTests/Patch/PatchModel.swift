/// A line of a hunk.
public struct PatchLine: Sendable, Hashable {
  public enum Kind: Sendable, Hashable { case context, added, removed }

  public var kind: Kind
  /// Without the mark in front and the line feed.
  public var text: String
  /// Its line in the patch, from 1.
  public var number: Int
}

/// A hunk of a unified diff.
public struct PatchHunk: Sendable, Hashable {
  /// The line of its header in the patch, from 1.
  public var number: Int
  public var oldStart: Int
  public var oldCount: Int
  public var newStart: Int
  public var newCount: Int
  /// What stands behind the second `@@`: the function, as diff guesses it.
  public var section: String
  public var lines: [PatchLine]

  public var added: [PatchLine] { lines.filter { $0.kind == .added } }
  public var removed: [PatchLine] { lines.filter { $0.kind == .removed } }
  public var changed: [PatchLine] { lines.filter { $0.kind != .context } }
}

/// What a patch does to one file.
public struct PatchedFile: Sendable, Hashable {
  /// Without the `a/` or `b/` in front; the new name of a file that is renamed.
  public var path: String
  /// The line of its header in the patch, from 1.
  public var number: Int
  public var isNew: Bool
  public var isDeleted: Bool
  public var hunks: [PatchHunk]
}

/// One patch: a commit of a series, or a plain diff.
public struct KernelPatch: Sendable, Hashable {
  /// The file that it was read from, as given.
  public var source: String
  /// Its subject without `[PATCH …]`; empty for a plain diff.
  public var subject: String
  public var files: [PatchedFile]

  public init(source: String, subject: String, files: [PatchedFile]) {
    self.source = source
    self.subject = subject
    self.files = files
  }

  /// The last part of the path that it was read from: reports do not depend on where that is.
  public var name: String { String(source.split(separator: "/").last ?? "") }
}
