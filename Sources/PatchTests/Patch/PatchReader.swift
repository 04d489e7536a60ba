import Foundation

/// Reads unified diffs: what `git format-patch` writes, series in an mbox, and plain diffs.
///
/// Strict where a mistake would go unnoticed otherwise: a hunk has to hold as many lines as its
/// header says.
public struct PatchReader {
  /// More than any series has, so that a hostile file cannot cost much.
  private static let mostLines = 2_000_000
  /// In bytes; the same.
  private static let largest = 64 << 20

  private let source: String
  private let lines: [Substring]
  private var position = 0
  private var patches: [KernelPatch] = []
  private var current: KernelPatch

  /// The patches of a file, in its order; none if it is a cover letter.
  public static func patches(inFile path: String) throws(PatchError) -> [KernelPatch] {
    let data: Data
    do {
      let handle = try FileHandle(forReadingFrom: URL(filePath: path))
      defer { try? handle.close() }
      data = try handle.read(upToCount: largest + 1) ?? Data()
    } catch {
      throw PatchError(file: path, message: "cannot be read", isMissing: true)
    }
    guard data.count <= largest else {
      throw PatchError(file: path, message: "has more than \(largest) bytes")
    }
    return try patches(String(decoding: data, as: UTF8.self), source: path)
  }

  /// The patches of a text; `source` is its name in errors.
  public static func patches(
    _ text: String, source: String
  ) throws(PatchError) -> [KernelPatch] {
    var reader = PatchReader(text, source)
    return try reader.read()
  }

  private init(_ text: String, _ source: String) {
    self.source = source
    // A carriage return is part of a line: Swift would take CR LF for one character.
    lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
      .map { Substring($0) }
    current = KernelPatch(source: source, subject: "", files: [])
  }

  private mutating func read() throws(PatchError) -> [KernelPatch] {
    guard lines.count <= Self.mostLines else {
      throw failure(nil, "has more than \(Self.mostLines) lines")
    }
    while let line = peek {
      if isMailStart(line) {
        finishPatch()
        position += 1
        readHeaders()
      } else if line.hasPrefix("diff --git ") || line.hasPrefix("--- ") && isFileHeader {
        try readFile()
      } else if line.hasPrefix("@@ -") {
        throw failure(position, "a hunk without the file that it changes")
      } else if current.files.isEmpty, current.subject.isEmpty, line.hasPrefix("Subject: ") {
        // A mail that was saved without its separator.
        readHeaders()
      } else {
        position += 1
      }
    }
    finishPatch()
    // A cover letter is a mail, and changes nothing.
    guard !patches.isEmpty else { throw failure(nil, "holds no unified diff") }
    return patches.filter { !$0.files.isEmpty }
  }

  private var peek: Substring? { position < lines.count ? lines[position] : nil }

  private func line(at index: Int) -> Substring { index < lines.count ? lines[index] : "" }

  private func failure(_ index: Int?, _ message: String) -> PatchError {
    PatchError(file: source, line: index.map { $0 + 1 }, message: message)
  }

  // MARK: Mails

  /// `From <hash> <date>` of a format-patch file, or `From <address> <date>` of an mbox.
  private func isMailStart(_ line: Substring) -> Bool {
    guard line.hasPrefix("From ") else { return false }
    let next = self.line(at: position + 1)
    return line.split(separator: " ").count >= 3
      && next.prefix { $0 != " " }.hasSuffix(":")
  }

  /// Mail headers up to the empty line; of them only the subject counts.
  private mutating func readHeaders() {
    while let line = peek, !line.isEmpty, line != "\r" {
      position += 1
      guard line.hasPrefix("Subject: ") else { continue }
      var subject = String(line.dropFirst("Subject: ".count))
      while let next = peek, next.hasPrefix(" ") || next.hasPrefix("\t") {
        subject += " " + next.trimmingCharacters(in: .whitespaces)
        position += 1
      }
      current.subject = Self.withoutTag(subject.trimmingCharacters(in: .whitespacesAndNewlines))
    }
  }

  /// Without `[PATCH 6.12 1/9]` in front.
  private static func withoutTag(_ subject: String) -> String {
    guard subject.hasPrefix("["), let end = subject.firstIndex(of: "]") else { return subject }
    return subject[subject.index(after: end)...].trimmingCharacters(in: .whitespaces)
  }

  private mutating func finishPatch() {
    if !current.files.isEmpty || !current.subject.isEmpty { patches.append(current) }
    current = KernelPatch(source: source, subject: "", files: [])
  }

  // MARK: Files

  /// `--- a` is followed by `+++ b`; other lines that begin so are somebody's text.
  private var isFileHeader: Bool { line(at: position + 1).hasPrefix("+++ ") }

  private mutating func readFile() throws(PatchError) {
    let start = position
    var old: String?
    var new: String?
    var file = PatchedFile(path: "", number: start + 1, isNew: false, isDeleted: false, hunks: [])
    if let line = peek, line.hasPrefix("diff --git ") {
      new = Self.gitName(line.dropFirst("diff --git ".count))
      position += 1
      while let line = peek, isExtendedHeader(line) {
        if line.hasPrefix("new file mode ") { file.isNew = true }
        if line.hasPrefix("deleted file mode ") { file.isDeleted = true }
        if line.hasPrefix("rename to ") { new = String(line.dropFirst("rename to ".count)) }
        if line.hasPrefix("GIT binary patch") || line.hasPrefix("Binary files ") {
          // There is nothing in it to read; it ends where the next file begins.
          position += 1
          skipBinary()
        } else {
          position += 1
        }
      }
    }
    if let line = peek, line.hasPrefix("--- "), isFileHeader {
      if line.hasPrefix("--- b/"), self.line(at: position + 1).hasPrefix("+++ a/") {
        throw failure(position, "from b/ to a/: this patch is reversed")
      }
      old = Self.name(line.dropFirst(4))
      let renamed = Self.name(self.line(at: position + 1).dropFirst(4))
      if old == nil { file.isNew = true }
      if renamed == nil { file.isDeleted = true }
      new = renamed ?? new ?? old
      position += 2
      while let line = peek, line.hasPrefix("@@") { file.hunks.append(try readHunk()) }
      guard !file.hunks.isEmpty else {
        throw failure(position < lines.count ? position : start, "a file header without a hunk")
      }
      try checkEnd()
    }
    guard let path = new ?? old, !path.isEmpty else {
      throw failure(start, "a file header without a name")
    }
    file.path = path
    current.files.append(file)
  }

  private func isExtendedHeader(_ line: Substring) -> Bool {
    [
      "index ", "new file mode ", "deleted file mode ", "old mode ", "new mode ", "similarity ",
      "dissimilarity ", "rename ", "copy ", "GIT binary patch", "Binary files ",
    ].contains { line.hasPrefix($0) }
  }

  private mutating func skipBinary() {
    while let line = peek, !line.hasPrefix("diff --git "), !line.hasPrefix("-- "),
      !isMailStart(line)
    {
      position += 1
    }
  }

  /// A line behind a hunk that looks like one more of it: the header's counts are wrong.
  private func checkEnd() throws(PatchError) {
    guard let line = peek, let mark = line.first else { return }
    let isFooter = line == "-- " || line == "--" || line.hasPrefix("--- ") && isFileHeader
    if mark == "+" || mark == " " || mark == "-" && !isFooter {
      throw failure(position, "more lines than the hunk's header says")
    }
  }

  /// The name in `--- a/NAME`, without what diff writes behind a tab; nil for /dev/null.
  private static func name(_ text: Substring) -> String? {
    var name = String(text.prefix { $0 != "\t" })
    if name.hasSuffix("\r") { name.removeLast() }
    if name.hasPrefix("\""), name.hasSuffix("\""), name.count >= 2 {
      name = String(name.dropFirst().dropLast())
    }
    if name == "/dev/null" { return nil }
    for prefix in ["a/", "b/"] where name.hasPrefix(prefix) { return String(name.dropFirst(2)) }
    return name
  }

  /// The second of the two equal names in `a/NAME b/NAME`.
  private static func gitName(_ text: Substring) -> String? {
    let parts = text.components(separatedBy: " b/")
    return parts.count == 2 ? parts[1] : nil
  }

  // MARK: Hunks

  private mutating func readHunk() throws(PatchError) -> PatchHunk {
    let start = position
    guard var hunk = Self.header(line(at: start), start + 1) else {
      throw failure(start, "expected `@@ -OLD,COUNT +NEW,COUNT @@`")
    }
    position += 1
    var (old, new) = (hunk.oldCount, hunk.newCount)
    while old > 0 || new > 0 {
      guard let line = peek else {
        throw failure(start, "the file ends within this hunk, \(max(old, new)) lines too early")
      }
      let kind: PatchLine.Kind
      switch line.first {
      case "+": kind = .added
      case "-": kind = .removed
      // Mailers cut the blank of an empty line off.
      case " ", nil, "\r": kind = .context
      case "\t": kind = .context
      case "\\":
        position += 1
        continue
      default:
        throw failure(
          position,
          "not a line of a hunk, which has \(max(old, new)) more (its header is in line "
            + "\(start + 1))")
      }
      if kind != .added { old -= 1 }
      if kind != .removed { new -= 1 }
      guard old >= 0, new >= 0 else {
        throw failure(position, "more lines than the hunk's header in line \(start + 1) says")
      }
      let text = line.first == "\t" ? line : line.dropFirst()
      hunk.lines.append(PatchLine(kind: kind, text: String(text), number: position + 1))
      position += 1
    }
    while let line = peek, line.hasPrefix("\\") { position += 1 }
    return hunk
  }

  /// `@@ -1504,10 +1504,18 @@ SYM_CODE_END(rewind_stack_and_make_dead)`
  private static func header(_ line: Substring, _ number: Int) -> PatchHunk? {
    guard line.hasPrefix("@@ -"), let end = line.range(of: " @@") else { return nil }
    let ranges = line[line.index(line.startIndex, offsetBy: 4)..<end.lowerBound]
      .components(separatedBy: " +")
    guard ranges.count == 2, let old = range(ranges[0]), let new = range(ranges[1]) else {
      return nil
    }
    return PatchHunk(
      number: number, oldStart: old.start, oldCount: old.count, newStart: new.start,
      newCount: new.count, section: line[end.upperBound...].trimmingCharacters(in: .whitespaces),
      lines: [])
  }

  /// `1504,10`, or `1504` for one line.
  private static func range(_ text: String) -> (start: Int, count: Int)? {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    guard let first = parts.first, let start = number(first), parts.count <= 2 else { return nil }
    guard parts.count == 2 else { return (start, 1) }
    return number(parts[1]).map { (start, $0) }
  }

  /// Digits alone: Int() would take a sign.
  private static func number(_ text: Substring) -> Int? {
    guard !text.isEmpty, text.utf8.count <= 9, text.utf8.allSatisfy({ 48...57 ~= $0 }) else {
      return nil
    }
    return Int(text)
  }
}
