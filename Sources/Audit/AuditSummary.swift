import Foundation
import GRDB
public import Mitigation

/// What a run saw, and how it differs from another one.
public struct AuditSummary: Sendable {
  /// In ascending order of their paths.
  public var rows: [AuditRow]
  /// How far the run came that was ended early; nil if it came to its end.
  public var unfinished: Auditor.Progress?

  /// What to count rows by.
  public enum Grouping: String, Sendable, CaseIterable {
    case distribution, version, finding
  }

  public struct Group: Sendable, Hashable, Codable {
    public var name: String
    public var images: Int
    /// Of them, those with at least one inadequate boot path.
    public var inadequate: Int
    public var failed: Int
  }

  /// The groups with the most images first, then by name.
  public func groups(by grouping: Grouping) -> [Group] {
    var groups: [String: Group] = [:]
    for row in rows {
      for name in Self.names(of: row, grouping) {
        var group =
          groups[name] ?? Group(name: name, images: 0, inadequate: 0, failed: 0)
        group.images += 1
        if row.verdicts[Verdict.inadequate.rawValue, default: 0] > 0 { group.inadequate += 1 }
        if row.error != nil { group.failed += 1 }
        groups[name] = group
      }
    }
    return groups.values.sorted { ($1.images, $0.name) < ($0.images, $1.name) }
  }

  private static func names(of row: AuditRow, _ grouping: Grouping) -> [String] {
    switch grouping {
    case .distribution: [row.distribution ?? "unknown"]
    case .version: [row.release ?? "unknown"]
    case .finding: row.findings.isEmpty ? ["none"] : row.findings.map(\.text)
    }
  }
}

/// How one path differs between two runs.
public struct AuditChange: Sendable, Hashable, Codable {
  public enum Kind: String, Sendable, Hashable, Codable { case new, gone, changed }

  public var kind: Kind
  public var path: String
  /// Findings that only the later run has, and only the earlier.
  public var appeared: [RuleID]
  public var disappeared: [RuleID]
  @OrNull public var before: AuditRow?
  @OrNull public var after: AuditRow?
}

extension AuditDatabase {
  /// The numbers of the runs, in ascending order.
  public func runs() throws(AuditError) -> [Int64] {
    try reading { db in try Int64.fetchAll(db, sql: "SELECT id FROM run ORDER BY id") }
  }

  /// What a run saw; by default the last one.
  public func summary(of run: Int64? = nil) throws(AuditError) -> AuditSummary {
    let last = try runs().last
    guard let run = run ?? last else { throw AuditError(file: file, message: "holds no run") }
    let found = try reading { db -> (finished: Date?, files: Int, texts: [String])? in
      guard
        let row = try Row.fetchOne(
          db, sql: "SELECT finished, files FROM run WHERE id = ?", arguments: [run])
      else { return nil }
      let texts = try String.fetchAll(
        db, sql: "SELECT row FROM sighting WHERE runId = ? ORDER BY path", arguments: [run])
      return (row["finished"], row["files"], texts)
    }
    guard let found else { throw AuditError(file: file, message: "holds no run \(run)") }
    var rows: [AuditRow] = []
    for text in found.texts { rows.append(try row(text)) }
    return AuditSummary(
      rows: rows,
      unfinished: found.finished == nil
        ? Auditor.Progress(done: rows.count, total: found.files) : nil)
  }

  /// What changed from one run to another, in ascending order of paths.
  public func changes(from earlier: Int64, to later: Int64) throws(AuditError) -> [AuditChange] {
    let before = Dictionary(
      try summary(of: earlier).rows.map { ($0.path, $0) }, uniquingKeysWith: { $1 })
    let after = Dictionary(
      try summary(of: later).rows.map { ($0.path, $0) }, uniquingKeysWith: { $1 })
    return Set(before.keys).union(after.keys).sorted().compactMap { path in
      AuditChange(path, before[path], after[path])
    }
  }

  private func row(_ text: String) throws(AuditError) -> AuditRow {
    do {
      return try Self.decoded(text)
    } catch {
      throw AuditError(file: file, message: "holds a row that cannot be understood: \(error)")
    }
  }

  private func reading<Value>(_ body: (Database) throws -> Value) throws(AuditError) -> Value {
    do {
      return try queue.read(body)
    } catch {
      throw AuditError(file: file, message: "\(error)")
    }
  }

  /// Adds what other databases hold, as one run over all that their last runs saw.
  ///
  /// What was known already stays as it is. A merge that fails leaves no run.
  public func merge(_ others: [AuditDatabase]) throws(AuditError) {
    for other in others where isSame(as: other) {
      throw AuditError(file: other.file, message: "cannot be merged into itself")
    }
    do {
      let run = try begin(files: 0)
      do {
        for other in others { try take(other, into: run) }
      } catch {
        try queue.write { db in
          try db.execute(sql: "DELETE FROM run WHERE id = ?", arguments: [run])
        }
        throw error
      }
      try queue.write { db in
        try db.execute(
          sql: """
            UPDATE run SET files = (SELECT COUNT(*) FROM sighting WHERE runId = run.id)
            WHERE id = ?
            """, arguments: [run])
      }
      try end(run)
    } catch {
      throw AuditError(file: file, message: "\(error)")
    }
  }

  /// Whether both are one file, by whatever names.
  private func isSame(as other: AuditDatabase) -> Bool {
    var (mine, theirs) = (stat(), stat())
    guard stat(file, &mine) == 0, stat(other.file, &theirs) == 0 else { return false }
    return (mine.st_dev, mine.st_ino) == (theirs.st_dev, theirs.st_ino)
  }

  private func take(_ other: AuditDatabase, into run: Int64) throws {
    try queue.writeWithoutTransaction { db in
      try db.execute(sql: "ATTACH DATABASE ? AS other", arguments: [other.file])
      defer { try? db.execute(sql: "DETACH DATABASE other") }
      try db.inTransaction {
        try db.execute(
          sql: """
            INSERT OR IGNORE INTO main.image (content, ordinal, basis, row)
            SELECT content, ordinal, basis, row FROM other.image ORDER BY id;
            INSERT INTO main.finding (imageId, rule, severity, message)
            SELECT mine.id, theirs.rule, theirs.severity, theirs.message
            FROM other.finding AS theirs JOIN other.image AS image ON image.id = theirs.imageId
            JOIN main.image AS mine USING (content, ordinal, basis)
            WHERE NOT EXISTS (SELECT 1 FROM main.finding WHERE imageId = mine.id);
            INSERT INTO main.path (imageId, path, verdict, sysfs)
            SELECT mine.id, theirs.path, theirs.verdict, theirs.sysfs
            FROM other.path AS theirs JOIN other.image AS image ON image.id = theirs.imageId
            JOIN main.image AS mine USING (content, ordinal, basis)
            WHERE NOT EXISTS (SELECT 1 FROM main.path WHERE imageId = mine.id);
            """)
        try db.execute(
          sql: """
            INSERT OR REPLACE INTO main.sighting (runId, path, imageId, row)
            SELECT ?, seen.path, mine.id, seen.row
            FROM other.sighting AS seen LEFT JOIN other.image AS image ON image.id = seen.imageId
            LEFT JOIN main.image AS mine USING (content, ordinal, basis)
            WHERE seen.runId = (SELECT MAX(id) FROM other.run)
            ORDER BY seen.path
            """, arguments: [run])
        return .commit
      }
    }
  }
}

extension AuditChange {
  /// Nil if nothing changed but who had looked first.
  init?(_ path: String, _ before: AuditRow?, _ after: AuditRow?) {
    let (old, new) = (Set(before?.findings ?? []), Set(after?.findings ?? []))
    var (earlier, later) = (before, after)
    earlier?.isKnown = false
    later?.isKnown = false
    guard earlier != later else { return nil }
    self.init(
      kind: before == nil ? .new : after == nil ? .gone : .changed, path: path,
      appeared: new.subtracting(old).sorted(), disappeared: old.subtracting(new).sorted(),
      before: before, after: after)
  }
}
