internal import Glibc

extension Artefact {
  /// Opens whatever holds a kernel and says what is in it.
  ///
  /// - vmlinux: ELF of any size; it is mapped, not read;
  /// - vmlinuz, bzImage: with any payload compression the kernel's build offers;
  /// - a unified kernel image: a PE file with sections `.linux` and `.cmdline`;
  /// - a module (.ko), which gives an artefact without a kernel;
  /// - each of these compressed by gzip, bzip2, lzma, xz, lzo, lz4 or zstd;
  /// - a .deb, an .rpm, or a tar or cpio file in any compression that libarchive takes off:
  ///   read as a stream, nothing is written to disk;
  /// - a folder: `/lib/modules/VERSION`, `/lib/modules`, `/boot`, a kernel's build tree.
  ///
  /// - Returns: one artefact per kernel, at least one. Several come from a folder or a tar file;
  ///   of those in a folder some may have a `failure` instead of a kernel.
  /// - Throws: `ImageError` with code, place and one line of text.
  public static func open(path: String) throws(ImageError) -> [Artefact] {
    var status = stat()
    guard stat(path, &status) == 0 else { throw .system(errno, "cannot be opened") }
    if status.st_mode & S_IFMT == S_IFDIR { return try KernelFolder(path).artefacts() }
    let file = Contents(try ImageBytes.mapping(path: path))
    return try file.unchanged { () throws(ImageError) in
      try artefacts(in: file, path: path, layers: [])
    }
  }

  /// Opens a module (`--module FILE`), compressed or not, or those of KVM in a package.
  public static func openModules(path: String) throws(ImageError) -> [Member] {
    let modules = try open(path: path).first { !$0.modules.isEmpty }?.modules ?? []
    guard !modules.isEmpty else {
      throw ImageError(.unsupportedFormat, "is a kernel, where a module was expected")
    }
    return modules
  }

  /// Opens a text such as a System.map (`--system-map FILE`).
  public static func openText(path: String) throws(ImageError) -> Member {
    let bytes = try ImageBytes.mapping(path: path)
    guard bytes.count <= PackageReader.Limit.text else {
      throw ImageError(
        .tooLarge,
        "has \(bytes.count) bytes, a text of at most \(PackageReader.Limit.text) is taken")
    }
    guard !bytes.raw.prefix(4096).contains(0) else {
      throw ImageError(.unsupportedFormat, "is no text", offset: 0)
    }
    return Member(name: fileName(path), contents: Contents(bytes), layers: [])
  }

  /// The last part of a path.
  static func fileName(_ path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
  }

  /// What is in a file whose bytes are in memory.
  /// - Parameter layers: what was taken off already, outermost first.
  static func artefacts(
    in file: Contents, path: String, layers: [String]
  ) throws(ImageError) -> [Artefact] {
    switch file.kind {
    case .elf, .bzImage, .pe, .foreign:
      return [try single(file, path: path, layers: layers)]
    case .ar:
      return try file.withBytes { bytes throws(ImageError) in
        try debianPackage(bytes, path: path, layers: layers)
      }
    case .rpm, .other, .compressed:
      guard layers.count < UnwrappedElf.deepest else {
        throw ImageError(
          .unsupportedFormat, "is packed more than \(UnwrappedElf.deepest) times over")
      }
      return try unpacked(file, path: path, layers: layers)
    }
  }

  /// A kernel or a module on its own.
  private static func single(
    _ file: Contents, path: String, layers: [String]
  ) throws(ImageError) -> Artefact {
    let elf = try UnwrappedElf(file, layers: layers)
    guard elf.outline.hasCode else {
      throw ImageError(.noKernel, "holds debug information only, no code")
    }
    let member = Member(name: fileName(path), elf)
    return switch elf.outline.kind {
    case .kernel:
      Artefact(path: path, kernel: member, embeddedCommandLine: elf.commandLine)
    case .module: Artefact(path: path, modules: [member])
    }
  }

  /// A compressed file, or an archive.
  private static func unpacked(
    _ file: Contents, path: String, layers: [String]
  ) throws(ImageError) -> [Artefact] {
    if case .compressed(.lzo) = file.kind {
      // The one compression that libarchive leaves to a program.
      let inner = try file.withBytes { bytes throws(ImageError) in
        var writer = try MemoryWriter(limit: PackageReader.Limit.kernel)
        guard try Compression.lzo.unpack(bytes, into: &writer) else { throw tooLarge(bytes) }
        return Contents(try writer.finish())
      }
      return try artefacts(in: inner, path: path, layers: layers + [Compression.lzo.rawValue])
    }
    let content = try file.withBytes { bytes throws(ImageError) in
      try streamed(bytes, isPackage: file.kind == .rpm, layers: layers)
    }
    switch content {
    case .package(let package): return try package.artefacts(path: path)
    case .file(let inner, let filters):
      return try artefacts(in: inner, path: path, layers: layers + filters)
    }
  }

  private enum Streamed {
    case package(PackageReader)
    case file(Contents, [String])
  }

  private static func streamed(
    _ bytes: UnsafeRawBufferPointer, isPackage: Bool, layers: [String]
  ) throws(ImageError) -> Streamed {
    var reader = try ArchiveReader(
      MemorySource(bytes), formats: isPackage ? .cpio : [.tar, .cpio, .raw])
    guard let first = try reader.next() else { throw holdsNothing }
    let filters = reader.filterNames
    guard reader.isRaw else {
      let names = isPackage ? ["rpm", archiveName(reader, besides: "rpm")] : [archiveName(reader)]
      return .package(
        try PackageReader(reader, first, layers: layers + names, holdsOneKernel: isPackage))
    }
    // Bytes that no compression and no archive format recognises are "raw" as well.
    guard !filters.isEmpty else {
      throw ImageError(
        .unsupportedFormat,
        "is no ELF file, boot image, package or archive: it starts with \(bytes.beginning)",
        offset: 0)
    }
    return .file(
      Contents(try reader.member(size: nil, limit: PackageReader.Limit.kernel)), filters)
  }

  /// A .deb: an ar archive whose member data.tar.* holds the files.
  private static func debianPackage(
    _ bytes: UnsafeRawBufferPointer, path: String, layers: [String]
  ) throws(ImageError) -> [Artefact] {
    var outer = try ArchiveReader(MemorySource(bytes), formats: .ar, filters: [])
    while let entry = try outer.next() {
      guard entry.path.hasPrefix("data.tar") else { continue }
      do throws(ImageError) {
        var inner = try ArchiveReader(MemberSource(outer), formats: .tar)
        guard let first = try inner.next() else { throw holdsNothing }
        let names = ["deb", archiveName(inner)]
        let package = try PackageReader(
          inner, first, layers: layers + names, holdsOneKernel: true)
        return try package.artefacts(path: path)
      } catch {
        throw error.inside(entry.path)
      }
    }
    throw ImageError(
      .noKernel, "is an ar archive without data.tar, so no Debian package", offset: 0)
  }

  private static var holdsNothing: ImageError {
    ImageError(.noKernel, "is an archive without members")
  }

  /// Such as `tar.xz`.
  private static func archiveName(
    _ reader: borrowing ArchiveReader, besides outer: String? = nil
  ) -> String {
    ([reader.formatName] + reader.filterNames.filter { $0 != outer }).joined(separator: ".")
  }

  private static func tooLarge(_ bytes: UnsafeRawBufferPointer) -> ImageError {
    ImageError(
      .tooLarge, "unpacks to more than \(PackageReader.Limit.kernel) bytes",
      offset: UInt64(bytes.count))
  }
}
