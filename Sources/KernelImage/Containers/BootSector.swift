/// The setup header of an x86 boot image (vmlinuz, bzImage), as far as it leads to the payload.
///
/// Source: Documentation/arch/x86/boot.rst. Every field is little-endian.
struct BootSector {
  static let magic = Array("HdrS".utf8)
  static let magicOffset = 0x202

  /// Where the compressed kernel lies, in bytes from the start of the image.
  let payload: Range<Int>

  /// Protocol 2.08 (Linux 2.6.26) brought `payload_offset` and `payload_length`.
  private static let oldestProtocol: UInt16 = 0x0208

  init(_ image: UnsafeRawBufferPointer) throws(ImageError) {
    guard image.holds(Self.magic, at: Self.magicOffset) else {
      throw ImageError(
        .unsupportedFormat, "has no setup header of an x86 boot image",
        offset: UInt64(Self.magicOffset))
    }
    guard let sectors = image.integer(UInt8.self, at: 0x1F1),
      let bootProtocol = image.integer(UInt16.self, at: 0x206),
      let payloadOffset = image.integer(UInt32.self, at: 0x248),
      let payloadLength = image.integer(UInt32.self, at: 0x24C)
    else {
      throw ImageError(
        .truncated, "the setup header needs 0x250 bytes, the file has \(image.count)",
        offset: UInt64(image.count))
    }
    guard bootProtocol >= Self.oldestProtocol else {
      throw ImageError(
        .unsupportedFormat,
        "boot protocol \(bootProtocol >> 8).\(bootProtocol & 0xFF) does not say where the payload is, "
          + "2.8 and later do", offset: 0x206)
    }
    // A value of 0 means 4, for old boot loaders.
    let setup = (Int(sectors == 0 ? 4 : sectors) + 1) * 512
    let start = setup + Int(payloadOffset)
    let end = start + Int(payloadLength)
    guard payloadLength > 4 else {
      throw ImageError(.malformed, "the setup header gives no payload", offset: 0x24C)
    }
    guard end <= image.count else {
      throw ImageError(
        .truncated,
        "the payload ends at 0x\(String(end, radix: 16)), the file has \(image.count) bytes",
        offset: UInt64(image.count))
    }
    payload = start..<end
  }
}
