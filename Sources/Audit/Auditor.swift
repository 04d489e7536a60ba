import Dispatch
public import Inspection
import KernelImage
import Mitigation
import Synchronization

/// Looks at many kernels, several at a time, and keeps what it finds.
public struct Auditor: Sendable {
  public var database: AuditDatabase
  public var inspector: Inspector
  /// What judges the images besides the image itself, in words: known rows of another basis do not
  /// count.
  public var basis: String
  /// How many images at a time; each takes a core and up to 300 MB.
  public var jobs: Int

  public init(database: AuditDatabase, inspector: Inspector, basis: String, jobs: Int = 1) {
    self.database = database
    self.inspector = inspector
    self.inspector.hashes = true
    self.basis = basis
    self.jobs = max(1, jobs)
  }

  /// How far a run is.
  public struct Progress: Sendable, Hashable, Codable {
    public var done: Int
    public var total: Int

    /// `2 of 7 files`.
    public var text: String { "\(done) of \(counted(total, "file"))" }
  }

  /// Looks at `files`, and hands on the rows of each as soon as they are kept.
  ///
  /// - Parameter body: called by one thread at a time.
  /// - Throws: if the database cannot be written. What is wrong with an image is in its row.
  public func run(
    _ files: AuditFiles, _ body: @escaping @Sendable ([AuditRow], Progress) -> Void
  ) throws(AuditError) {
    let paths = files.paths
    let basis = try hash(of: basis)
    let run = try kept { try database.begin(files: paths.count) }
    let next = Atomic(0)
    let done = Mutex(0)
    let failure = Mutex<AuditError?>(nil)
    DispatchQueue.concurrentPerform(iterations: min(jobs, max(1, paths.count))) { _ in
      while failure.withLock({ $0 == nil }) {
        let index = next.add(1, ordering: .relaxed).oldValue
        guard index < paths.count else { return }
        do throws(AuditError) {
          let rows = try look(at: paths[index], basis: basis, run)
          done.withLock { done in
            done += 1
            body(rows, Progress(done: done, total: paths.count))
          }
        } catch {
          failure.withLock { $0 = $0 ?? error }
        }
      }
    }
    if let error = failure.withLock({ $0 }) { throw error }
    try kept { try database.end(run) }
  }

  private func look(at path: String, basis: String, _ run: Int64) throws(AuditError) -> [AuditRow] {
    let file: Artefact.Contents
    let content: String
    do throws(ImageError) {
      file = Artefact.Contents(try ImageBytes.mapping(path: path))
      content = try ContentHash.sha256(file.bytes.raw)
      try file.bytes.requireUnchanged()
    } catch {
      return try keep(error, of: path, basis: basis, run)
    }
    if var rows = try kept({ try database.known(content, basis: basis) }) {
      for index in rows.indices {
        rows[index].isKnown = true
        rows[index].path = Self.name(path, index, of: rows.count)
      }
      let seen = rows
      try kept {
        try database.keep(seen.map { ($0, nil) }, content: content, basis: basis, in: run)
      }
      return seen
    }
    var reports: [ImageReport]
    do throws(ImageError) {
      reports = try Artefact.open(path: path).map(inspector.report)
    } catch {
      var report = ImageReport(path: path)
      report.error = ImageFailure(error)
      reports = [report]
    }
    do throws(ImageError) {
      // What was looked at is what was hashed.
      try file.bytes.requireUnchanged()
    } catch {
      return try keep(error, of: path, basis: basis, run)
    }
    for index in reports.indices { reports[index].path = Self.name(path, index, of: reports.count) }
    let rows = reports.map { AuditRow($0, isKnown: false) }
    let found = Array(zip(rows, reports.map(Optional.some)))
    try kept { try database.keep(found, content: content, basis: basis, in: run) }
    return rows
  }

  /// Keeps why a file could not be read: under its path, for it has no content.
  private func keep(
    _ error: ImageError, of path: String, basis: String, _ run: Int64
  ) throws(AuditError) -> [AuditRow] {
    var report = ImageReport(path: path)
    report.error = ImageFailure(error)
    let row = AuditRow(report, isKnown: false)
    try kept { try database.keep([(row, report)], content: nil, basis: basis, in: run) }
    return [row]
  }

  /// What the rows of a file's kernels are called.
  private static func name(_ path: String, _ index: Int, of count: Int) -> String {
    count == 1 ? path : "\(path): \(index + 1)"
  }

  private func hash(of text: String) throws(AuditError) -> String {
    try kept { try Array(text.utf8).withUnsafeBytes { try ContentHash.sha256($0) } }
  }

  private func kept<Value>(_ body: () throws -> Value) throws(AuditError) -> Value {
    do {
      return try body()
    } catch {
      throw AuditError(file: database.file, message: "\(error)")
    }
  }
}
