import Foundation
import GRDB
import Mitigation

/// Why a database cannot be used.
public struct AuditError: Error, Sendable, Hashable, CustomStringConvertible {
  public var file: String
  public var message: String

  public init(file: String, message: String) {
    self.file = file
    self.message = message
  }

  public var description: String { "\(file): \(message)" }
}

/// What audits found: an SQLite file.
///
/// A kernel is known by its content and by what judged it, so that a second run does only what is
/// new. Each image is one transaction: a run that was interrupted loses nothing that was finished.
public struct AuditDatabase: Sendable {
  /// The number of the schema below; a file with another one is refused.
  private static let migrationName = "1"

  public let file: String
  let queue: DatabaseQueue

  /// Opens a file, or makes it with the folders above it.
  public init(file: String) throws(AuditError) {
    self.file = file
    do {
      let folder = URL(filePath: file).deletingLastPathComponent()
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      var configuration = Configuration()
      // Shards on one machine may share a file.
      configuration.busyMode = .timeout(60)
      queue = try DatabaseQueue(path: file, configuration: configuration)
      try Self.migrator.migrate(queue)
    } catch {
      throw AuditError(file: file, message: "\(error)")
    }
  }

  private static var migrator: DatabaseMigrator {
    var migrator = DatabaseMigrator()
    migrator.registerMigration(migrationName) { db in
      try db.create(table: "run") { table in
        table.autoIncrementedPrimaryKey("id")
        table.column("started", .datetime).notNull()
        table.column("finished", .datetime)
        table.column("files", .integer).notNull()
      }
      try db.create(table: "image") { table in
        table.autoIncrementedPrimaryKey("id")
        // SHA-256 of the file, and which of its kernels it is.
        table.column("content", .text).notNull()
        table.column("ordinal", .integer).notNull()
        // SHA-256 of what judged it: the tool's version, the policy, the user's data files.
        table.column("basis", .text).notNull()
        table.column("row", .jsonText).notNull()
        table.uniqueKey(["content", "ordinal", "basis"])
      }
      try db.create(table: "finding") { table in
        table.belongsTo("image", onDelete: .cascade).notNull()
        table.column("rule", .text).notNull()
        table.column("severity", .text).notNull()
        table.column("message", .text).notNull()
      }
      try db.create(table: "path") { table in
        table.belongsTo("image", onDelete: .cascade).notNull()
        table.column("path", .text).notNull()
        table.column("verdict", .text).notNull()
        table.column("sysfs", .text)
      }
      try db.create(table: "sighting") { table in
        table.belongsTo("run", onDelete: .cascade).notNull()
        table.column("path", .text).notNull()
        // Null: the file could not be read, so nothing is known by its content.
        table.belongsTo("image", onDelete: .cascade)
        table.column("row", .jsonText).notNull()
        table.uniqueKey(["runId", "path"])
      }
    }
    return migrator
  }

  // MARK: Runs

  /// Begins a run over `count` files.
  func begin(files count: Int) throws -> Int64 {
    try queue.write { db in
      try db.execute(
        sql: "INSERT INTO run (started, files) VALUES (?, ?)", arguments: [Date(), count])
      return db.lastInsertedRowID
    }
  }

  func end(_ run: Int64) throws {
    try queue.write { db in
      try db.execute(sql: "UPDATE run SET finished = ? WHERE id = ?", arguments: [Date(), run])
    }
  }

  /// The rows of a file's kernels as an earlier run kept them; nil if none looked at this content.
  func known(_ content: String, basis: String) throws -> [AuditRow]? {
    let rows = try queue.read { db in
      try String.fetchAll(
        db, sql: "SELECT row FROM image WHERE content = ? AND basis = ? ORDER BY ordinal",
        arguments: [content, basis])
    }
    return rows.isEmpty ? nil : try rows.map(Self.decoded)
  }

  /// Keeps what was found in a file: all of it or nothing.
  ///
  /// - Parameter content: the file's hash; nil if it could not be read.
  func keep(
    _ reports: [(row: AuditRow, report: ImageReport?)], content: String?, basis: String,
    in run: Int64
  ) throws {
    try queue.write { db in
      for (ordinal, (row, report)) in reports.enumerated() {
        let text = try Self.encoded(row)
        var image: Int64?
        if let content {
          image = try Int64.fetchOne(
            db, sql: "SELECT id FROM image WHERE content = ? AND ordinal = ? AND basis = ?",
            arguments: [content, ordinal, basis])
          if image == nil {
            try db.execute(
              sql: "INSERT INTO image (content, ordinal, basis, row) VALUES (?, ?, ?, ?)",
              arguments: [content, ordinal, basis, text])
            image = db.lastInsertedRowID
            if let report, let image { try Self.insert(report, as: image, db) }
          }
        }
        try db.execute(
          sql: """
            INSERT INTO sighting (runId, path, imageId, row) VALUES (?, ?, ?, ?)
            ON CONFLICT (runId, path) DO UPDATE SET imageId = excluded.imageId, row = excluded.row
            """, arguments: [run, row.path, image, text])
      }
    }
  }

  private static func insert(_ report: ImageReport, as image: Int64, _ db: Database) throws {
    for finding in report.findings {
      try db.execute(
        sql: "INSERT INTO finding (imageId, rule, severity, message) VALUES (?, ?, ?, ?)",
        arguments: [image, finding.id.text, finding.severity.rawValue, finding.message])
    }
    let statement = try db.makeStatement(
      sql: "INSERT INTO path (imageId, path, verdict, sysfs) VALUES (?, ?, ?, ?)")
    for path in report.paths {
      guard let verdict = path.verdict else { continue }
      try statement.execute(
        arguments: [image, path.path.id, verdict.rawValue, path.outcome.sysfs])
    }
  }

  // MARK: Rows as text

  static func encoded(_ row: AuditRow) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(row), as: UTF8.self)
  }

  static func decoded(_ text: String) throws -> AuditRow {
    try JSONDecoder().decode(AuditRow.self, from: Data(text.utf8))
  }
}

extension AuditRow {
  /// One line of NDJSON.
  public var line: String {
    get throws { try AuditDatabase.encoded(self) + "\n" }
  }
}
