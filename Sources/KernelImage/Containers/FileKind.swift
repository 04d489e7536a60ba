/// What a file is, told by its first bytes alone.
enum FileKind: Hashable {
  case elf
  /// An x86 boot image: vmlinuz, which as an EFI stub is a PE file as well.
  case bzImage
  /// A PE file that is no x86 boot image; a unified kernel image is one.
  case pe
  /// An `ar` archive; a .deb is one.
  case ar
  case rpm
  case compressed(Compression)
  /// A boot image of another architecture, which is named.
  case foreign(String)
  /// Nothing with a magic of its own: perhaps a tar file.
  case other

  init(_ bytes: UnsafeRawBufferPointer) {
    self =
      if bytes.holds(ElfOutline.magic) {
        .elf
      } else if bytes.holds(BootSector.magic, at: BootSector.magicOffset) {
        .bzImage
      } else if let architecture = Self.foreignArchitecture(bytes) {
        .foreign(architecture)
      } else if bytes.holds(Array("MZ".utf8)) {
        .pe
      } else if bytes.holds(Array("!<arch>\n".utf8)) {
        .ar
      } else if bytes.holds([0xED, 0xAB, 0xEE, 0xDB]) {
        .rpm
      } else if let compression = Compression(magicOf: bytes) {
        .compressed(compression)
      } else {
        .other
      }
  }

  /// Boot images that are neither ELF nor for x86.
  ///
  /// Source: Documentation/arch/arm64/booting.rst and Documentation/arch/riscv/boot-image-header.rst
  /// (both put a magic at 0x38), arch/arm/boot/compressed/head.S,
  /// drivers/firmware/efi/libstub/zboot-header.S.
  private static func foreignArchitecture(_ bytes: UnsafeRawBufferPointer) -> String? {
    if bytes.holds(Array("ARM\u{64}".utf8), at: 0x38) { return "ARM64" }
    if bytes.holds(Array("RSC\u{05}".utf8), at: 0x38) { return "RISC-V" }
    if bytes.holds([0x18, 0x28, 0x6F, 0x01], at: 0x24) { return "ARM" }
    if bytes.holds(Array("zimg".utf8), at: 4) { return "compressed EFI, not x86" }
    return nil
  }

  /// How an error message calls it.
  var name: String {
    switch self {
    case .elf: "an ELF file"
    case .bzImage: "a bzImage"
    case .pe: "a PE file"
    case .ar: "an ar archive"
    case .rpm: "an RPM package"
    case .compressed(let compression): "\(compression)-compressed data"
    case .foreign(let architecture): "a kernel for another architecture (\(architecture))"
    case .other: "nothing known"
    }
  }
}

/// The compressions that the kernel's build offers for its payload, modules and packages.
enum Compression: String, Hashable, CaseIterable, CustomStringConvertible {
  case gzip, bzip2, lzma, xz, lzo, lz4, zstd

  var description: String { rawValue }

  /// Told by the first bytes, as the kernel itself does (lib/decompress.c), only by more of them.
  init?(magicOf bytes: UnsafeRawBufferPointer) {
    guard let found = Self.allCases.first(where: { bytes.holds($0.magic) }) else { return nil }
    self = found
  }

  private var magic: [UInt8] {
    switch self {
    case .gzip: [0x1F, 0x8B, 0x08]
    case .bzip2: [0x42, 0x5A, 0x68]
    case .lzma: [0x5D, 0x00, 0x00]
    case .xz: [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]
    case .lzo: Lzop.magic
    case .lz4: [0x02, 0x21, 0x4C, 0x18]
    case .zstd: [0x28, 0xB5, 0x2F, 0xFD]
    }
  }
}
