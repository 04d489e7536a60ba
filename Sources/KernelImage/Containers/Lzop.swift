internal import CLzo

/// The framing of lzop, in which the kernel's build stores an LZO payload.
///
/// Source: lib/decompress_unlzo.c of the kernel; the layout in lzop's own documentation. Numbers
/// are big-endian.
struct Lzop {
  static let magic: [UInt8] = [0x89, 0x4C, 0x5A, 0x4F, 0x00, 0x0D, 0x0A, 0x1A, 0x0A]

  private struct Flags: OptionSet {
    let rawValue: UInt32
    static let adler32OfData = Flags(rawValue: 0x1)
    static let adler32OfCompressed = Flags(rawValue: 0x2)
    static let crc32OfData = Flags(rawValue: 0x100)
    static let crc32OfCompressed = Flags(rawValue: 0x200)
    static let hasFilter = Flags(rawValue: 0x800)
  }

  /// lzop refuses larger blocks; the kernel knows only 256 KiB.
  private static let largestBlock: UInt32 = 64 << 20

  private let stream: UnsafeRawBufferPointer
  private let flags: Flags
  private var position: Int

  /// Reads the header of `stream`.
  init(_ stream: UnsafeRawBufferPointer) throws(ImageError) {
    self.stream = stream
    guard stream.holds(Self.magic) else {
      throw ImageError(.unsupportedFormat, "is not lzop's format", offset: 0)
    }
    var position = Self.magic.count
    func number<Number: FixedWidthInteger & BitwiseCopyable>(
      _ type: Number.Type
    ) throws(ImageError) -> Number {
      guard let value = stream.bigEndianInteger(type, at: position) else { throw Self.ends(stream) }
      position += MemoryLayout<Number>.size
      return value
    }
    let version = try number(UInt16.self)
    _ = try number(UInt16.self)  // the library's version
    // Version 0.940 brought the version needed to extract, the level and the upper half of the time.
    if version >= 0x0940 { _ = try number(UInt16.self) }
    let method = try number(UInt8.self)
    guard (1...3).contains(method) else {
      throw ImageError(
        .unsupportedFormat, "LZO method \(method) is unknown", offset: UInt64(position - 1))
    }
    if version >= 0x0940 { _ = try number(UInt8.self) }
    flags = Flags(rawValue: try number(UInt32.self))
    guard !flags.contains(.hasFilter) else {
      throw ImageError(.unsupportedFormat, "an LZO filter is used", offset: UInt64(position - 4))
    }
    position += version >= 0x0940 ? 12 : 8  // mode and time of the file
    position += Int(try number(UInt8.self)) + 4  // its name, the header's checksum
    self.position = position
  }

  /// Decompresses everything into `writer`; false if that does not fit.
  mutating func unpack(into writer: inout MemoryWriter) throws(ImageError) -> Bool {
    guard bhb_lzo_init() == LZO_E_OK else { throw ImageError(.failedLibrary, "lzo_init failed") }
    while true {
      let unpackedSize = try number()
      if unpackedSize == 0 { return true }
      let packedSize = try number()
      guard unpackedSize <= Self.largestBlock, packedSize > 0, packedSize <= unpackedSize else {
        throw ImageError(
          .malformed, "an LZO block claims \(packedSize) bytes for \(unpackedSize)",
          offset: UInt64(position - 8))
      }
      let dataAdler = flags.contains(.adler32OfData) ? try number() : nil
      let dataCRC = flags.contains(.crc32OfData) ? try number() : nil
      // A block that did not shrink is stored, and has no second pair of checksums.
      let stored = packedSize == unpackedSize
      let packedAdler = !stored && flags.contains(.adler32OfCompressed) ? try number() : nil
      let packedCRC = !stored && flags.contains(.crc32OfCompressed) ? try number() : nil

      let start = position
      guard let packed = stream.part(from: start, count: Int(packedSize)) else {
        throw Self.ends(stream)
      }
      position += packed.count
      guard let room = try writer.room(for: Int(unpackedSize)) else { return false }
      try Self.verify(packed, adler: packedAdler, crc: packedCRC, at: start)
      if stored {
        room.copyMemory(from: packed)
      } else {
        try Self.unpackBlock(packed, into: room, at: start)
      }
      try Self.verify(UnsafeRawBufferPointer(room), adler: dataAdler, crc: dataCRC, at: start)
      writer.keep(room.count)
    }
  }

  private mutating func number() throws(ImageError) -> UInt32 {
    guard let value = stream.bigEndianInteger(UInt32.self, at: position) else {
      throw Self.ends(stream)
    }
    position += 4
    return value
  }

  private static func ends(_ stream: UnsafeRawBufferPointer) -> ImageError {
    ImageError(.truncated, "the LZO stream ends too early", offset: UInt64(stream.count))
  }

  private static func unpackBlock(
    _ packed: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(ImageError) {
    var size = lzo_uint(room.count)
    let result = lzo1x_decompress_safe(
      packed.bindMemory(to: UInt8.self).baseAddress, lzo_uint(packed.count),
      room.bindMemory(to: UInt8.self).baseAddress, &size, nil)
    guard result == LZO_E_OK, size == lzo_uint(room.count) else {
      throw ImageError(
        .malformed, "an LZO block does not unpack (liblzo2: \(result))", offset: UInt64(offset))
    }
  }

  private static func verify(
    _ bytes: UnsafeRawBufferPointer, adler: UInt32?, crc: UInt32?, at offset: Int
  ) throws(ImageError) {
    let start = bytes.bindMemory(to: UInt8.self).baseAddress
    // 1 and 0 are the two checksums of nothing.
    if let adler, lzo_adler32(1, start, lzo_uint(bytes.count)) != adler {
      throw ImageError(.malformed, "an LZO block's Adler-32 is wrong", offset: UInt64(offset))
    }
    if let crc, lzo_crc32(0, start, lzo_uint(bytes.count)) != crc {
      throw ImageError(.malformed, "an LZO block's CRC-32 is wrong", offset: UInt64(offset))
    }
  }
}
