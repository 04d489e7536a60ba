import CArchive
import CLzo
@testable import KernelImage

/// Writes boot images, unified images and compressed data of known contents.
enum SmallImages {
  /// Compresses as the kernel's build does.
  static func compressed(_ bytes: [UInt8], _ compression: Compression) -> [UInt8] {
    switch compression {
    case .lzo: lzop(bytes)
    case .lz4: legacyLZ4(bytes)
    case .gzip: SmallArchives.filtered(bytes, archive_write_add_filter_gzip)
    case .bzip2: SmallArchives.filtered(bytes, archive_write_add_filter_bzip2)
    case .lzma: SmallArchives.filtered(bytes, archive_write_add_filter_lzma)
    case .xz: SmallArchives.filtered(bytes, archive_write_add_filter_xz)
    case .zstd: SmallArchives.filtered(bytes, archive_write_add_filter_zstd)
    }
  }

  /// A payload: `kernel` compressed, and its size behind it where the format has none.
  static func payload(
    _ kernel: [UInt8], _ compression: Compression, statedSize: Int? = nil
  ) -> [UInt8] {
    let packed = compressed(kernel, compression)
    let size = encoded(UInt32(statedSize ?? kernel.count))
    return compression == .gzip ? packed.dropLast(4) + size : packed + size
  }

  /// A boot image around `payload` (Documentation/arch/x86/boot.rst).
  static func bootImage(
    payload: [UInt8], bootProtocol: UInt16 = 0x020F, setupSectors: UInt8 = 3,
    isEFIStub: Bool = true
  ) -> [UInt8] {
    let payloadOffset = 0x40
    let setup = (Int(setupSectors == 0 ? 4 : setupSectors) + 1) * 512
    var image = [UInt8](repeating: 0, count: setup + payloadOffset)
    if isEFIStub { image.replaceSubrange(0..<2, with: Array("MZ".utf8)) }
    image[0x1F1] = setupSectors
    image.set(UInt16(0xAA55), at: 0x1FE)
    image.replaceSubrange(0x202..<0x206, with: Array("HdrS".utf8))
    image.set(bootProtocol, at: 0x206)
    image.set(UInt32(payloadOffset), at: 0x248)
    image.set(UInt32(payload.count), at: 0x24C)
    return image + payload + [UInt8](repeating: 0xCC, count: 64)
  }

  /// A boot image of a small kernel.
  static func bootImage(
    of kernel: [UInt8] = SmallElf().bytes, _ compression: Compression = .zstd
  ) -> [UInt8] {
    bootImage(payload: payload(kernel, compression))
  }

  /// A PE file with the given sections (Microsoft, "PE Format").
  static func portableExecutable(
    _ sections: [(name: String, contents: [UInt8])], machine: UInt16 = 0x8664
  ) -> [UInt8] {
    let headerAt = 0x80
    let tableAt = headerAt + 24 + 16
    var file = [UInt8](repeating: 0, count: tableAt + sections.count * 40)
    file.replaceSubrange(0..<2, with: Array("MZ".utf8))
    file.set(UInt32(headerAt), at: 0x3C)
    file.replaceSubrange(headerAt..<headerAt + 4, with: Array("PE\0\0".utf8))
    file.set(machine, at: headerAt + 4)
    file.set(UInt16(sections.count), at: headerAt + 6)
    file.set(UInt16(16), at: headerAt + 20)
    for (index, section) in sections.enumerated() {
      let at = tableAt + index * 40
      let padding = [UInt8](repeating: 0, count: (512 - section.contents.count % 512) % 512)
      file.replaceSubrange(at..<at + section.name.utf8.count, with: Array(section.name.utf8))
      file.set(UInt32(section.contents.count), at: at + 8)
      file.set(UInt32(section.contents.count + padding.count), at: at + 16)
      file.set(UInt32(file.count), at: at + 20)
      file += section.contents + padding
    }
    return file
  }

  /// lzop's framing with an Adler-32 of the data, in blocks as small as given.
  static func lzop(_ bytes: [UInt8], block: Int = 4096) -> [UInt8] {
    var out = Lzop.magic
    out += encoded(UInt16(0x1030), bigEndian: true) + encoded(UInt16(0x20A0), bigEndian: true)
    out += encoded(UInt16(0x0940), bigEndian: true)
    out += [3, 9]  // method LZO1X-999, level 9
    out += encoded(UInt32(0x0300_0001), bigEndian: true)  // Unix, Adler-32 of the data
    out += [UInt8](repeating: 0, count: 12) + [0] + [0, 0, 0, 0]
    var start = 0
    while start < bytes.count {
      let piece = Array(bytes[start..<min(start + block, bytes.count)])
      let packed = lzo1x(piece)
      let stored = packed.count >= piece.count
      out += encoded(UInt32(piece.count), bigEndian: true)
      out += encoded(UInt32(stored ? piece.count : packed.count), bigEndian: true)
      out += encoded(lzo_adler32(1, piece, lzo_uint(piece.count)), bigEndian: true)
      out += stored ? piece : packed
      start += piece.count
    }
    return out + [0, 0, 0, 0]
  }

  private static func lzo1x(_ bytes: [UInt8]) -> [UInt8] {
    var work = [UInt8](repeating: 0, count: 1 << 20)
    var out = [UInt8](repeating: 0, count: bytes.count + bytes.count / 16 + 67)
    var size = lzo_uint(out.count)
    precondition(bhb_lzo_init() == LZO_E_OK)
    precondition(
      lzo1x_1_compress(bytes, lzo_uint(bytes.count), &out, &size, &work) == LZO_E_OK)
    return Array(out.prefix(Int(size)))
  }

  /// The legacy framing of LZ4 (doc/lz4_Frame_format.md), every block made of literals only.
  static func legacyLZ4(_ bytes: [UInt8]) -> [UInt8] {
    var out: [UInt8] = [0x02, 0x21, 0x4C, 0x18]
    var start = 0
    while start < bytes.count {
      let piece = bytes[start..<min(start + (8 << 20), bytes.count)]
      var block: [UInt8]
      if piece.count < 15 {
        block = [UInt8(piece.count << 4)]
      } else {
        let rest = piece.count - 15
        block = [0xF0] + [UInt8](repeating: 255, count: rest / 255) + [UInt8(rest % 255)]
      }
      block += piece
      out += encoded(UInt32(block.count)) + block
      start += piece.count
    }
    return out
  }
}
