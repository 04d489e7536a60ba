import CArchive
import Glibc
@testable import KernelImage

/// Writes archives and packages of known contents through libarchive's writer.
enum SmallArchives {
  typealias AddFilter = (OpaquePointer?) -> Int32
  typealias SetFormat = (OpaquePointer?) -> Int32
  typealias Member = (path: String, contents: [UInt8])

  /// `bytes` behind a compression.
  static func filtered(_ bytes: [UInt8], _ filter: AddFilter) -> [UInt8] {
    archive([("data", bytes)], archive_write_set_format_raw, filter)
  }

  static func tar(
    _ members: [Member], _ filter: AddFilter = archive_write_add_filter_none
  ) -> [UInt8] {
    archive(members, archive_write_set_format_pax_restricted, filter)
  }

  /// A Debian package (deb(5)).
  static func deb(
    _ members: [Member], dataName: String = "data.tar.xz",
    _ filter: AddFilter = archive_write_add_filter_xz
  ) -> [UInt8] {
    deb(data: tar(members, filter), dataName: dataName)
  }

  static func deb(data: [UInt8], dataName: String = "data.tar.xz") -> [UInt8] {
    archive(
      [
        ("debian-binary", Array("2.0\n".utf8)),
        ("control.tar.xz", tar([("./control", Array("Package: linux\n".utf8))])),
        (dataName, data),
      ], archive_write_set_format_ar_bsd, archive_write_add_filter_none)
  }

  /// An RPM package: lead, signature header, header, compressed cpio ("RPM V4 Package format").
  static func rpm(
    _ members: [Member], _ filter: AddFilter = archive_write_add_filter_zstd
  ) -> [UInt8] {
    var lead: [UInt8] = [0xED, 0xAB, 0xEE, 0xDB, 3, 0] + [UInt8](repeating: 0, count: 90)
    lead[79] = 5
    // One entry of binary data each: magic, version, reserved, counts, entry, store.
    let signature = header(storing: [UInt8](repeating: 7, count: 8))
    return lead + signature + header(storing: [UInt8](repeating: 9, count: 16))
      + archive(members, archive_write_set_format_cpio_newc, filter)
  }

  private static func header(storing store: [UInt8]) -> [UInt8] {
    [0x8E, 0xAD, 0xE8, 0x01, 0, 0, 0, 0] + encoded(UInt32(1), bigEndian: true)
      + encoded(UInt32(store.count), bigEndian: true)
      + [1000, 7, 0, UInt32(store.count)].flatMap { encoded($0 as UInt32, bigEndian: true) }
      + store
  }

  /// An archive in memory. A failure is one of the test itself.
  static func archive(
    _ members: [Member], _ format: SetFormat, _ filter: AddFilter,
    prepare: (OpaquePointer) -> Void = { _ in }
  ) -> [UInt8] {
    guard let handle = archive_write_new() else { preconditionFailure("archive_write_new") }
    defer { archive_write_free(handle) }
    func check(_ result: Int32) {
      precondition(
        result == ARCHIVE_OK,
        archive_error_string(handle).map { String(cString: $0) } ?? "libarchive: \(result)")
    }
    check(format(handle))
    check(filter(handle))
    // Whole blocks of padding would hide a cut-off tail from the tests.
    check(archive_write_set_bytes_per_block(handle, 1))
    var out = [UInt8](
      repeating: 0, count: members.reduce(1 << 20) { $0 + $1.contents.count * 2 + 4096 })
    var used = 0
    out.withUnsafeMutableBytes { buffer in
      check(archive_write_open_memory(handle, buffer.baseAddress, buffer.count, &used))
      for member in members {
        guard let entry = archive_entry_new() else { preconditionFailure("archive_entry_new") }
        defer { archive_entry_free(entry) }
        archive_entry_set_pathname(entry, member.path)
        archive_entry_set_filetype(entry, 0o100000)
        archive_entry_set_perm(entry, 0o644)
        archive_entry_set_size(entry, la_int64_t(member.contents.count))
        prepare(entry)
        check(archive_write_header(handle, entry))
        precondition(
          archive_write_data(handle, member.contents, member.contents.count)
            == member.contents.count)
        check(archive_write_finish_entry(handle))
      }
      check(archive_write_close(handle))
    }
    return Array(out.prefix(used))
  }
}

/// A folder for one test, gone with its owner.
final class TestFolder: Sendable {
  let path: String

  init() {
    var template = Array("/tmp/bhbcheck-containers-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { preconditionFailure("mkdtemp") }
    path = String(cString: made)
  }

  deinit { Self.remove(path) }

  /// Writes a file and the folders above it; its full path.
  @discardableResult
  func write(_ name: String, _ bytes: [UInt8]) -> String {
    var folder = path
    for part in name.split(separator: "/").dropLast() {
      folder += "/\(part)"
      mkdir(folder, 0o755)
    }
    let file = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    precondition(file >= 0, "cannot write \(name)")
    defer { close(file) }
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
      precondition(count > 0, "cannot write \(name)")
      rest = rest.dropFirst(count)
    }
    return "\(path)/\(name)"
  }

  private static func remove(_ path: String) {
    guard let folder = opendir(path) else {
      unlink(path)
      return
    }
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." {
        // A link is removed, not followed.
        if unlink("\(path)/\(name)") != 0 { remove("\(path)/\(name)") }
      }
    }
    closedir(folder)
    rmdir(path)
  }
}

/// Opens bytes as a file of that name.
func opened(_ bytes: [UInt8], as name: String = "image") throws(ImageError) -> [Artefact] {
  let folder = TestFolder()
  return try Artefact.open(path: folder.write(name, bytes))
}

/// The error that opening bytes gives; nil if it gives none.
func failure(of bytes: [UInt8], as name: String = "image") -> ImageError? {
  do {
    _ = try opened(bytes, as: name)
    return nil
  } catch {
    return error
  }
}

extension Artefact.Member {
  var array: [UInt8] { withExtendedLifetime(contents) { Array(contents.bytes.raw) } }
}
