/// A kernel's configuration, kept as the text it is; options are looked up in it.
public final class Configuration: Sendable {
  /// Where a configuration was read.
  public enum Source: String, Sendable, Hashable, CaseIterable {
    /// The image itself (CONFIG_IKCONFIG).
    case image
    /// A `config-VERSION` file that came with it.
    case package
  }

  public let source: Source
  private let text: Artefact.Contents

  init(_ source: Source, _ text: Artefact.Contents) {
    self.source = source
    self.text = text
  }

  /// More than any configuration has: the largest distributions' have 0.3 MiB.
  private static let largest = 4 << 20

  /// Reads what CONFIG_IKCONFIG embeds, a gzip stream; nil if that is damaged.
  convenience init?(compressed bytes: UnsafeRawBufferPointer) {
    guard Compression(magicOf: bytes) == .gzip, let text = try? Self.unpacked(bytes),
      // libarchive does not compare the size that ends a gzip stream (RFC 1952, ISIZE).
      bytes.integer(UInt32.self, at: bytes.count - 4) == UInt32(exactly: text.bytes.count)
    else { return nil }
    self.init(.image, text)
  }

  private static func unpacked(
    _ bytes: UnsafeRawBufferPointer
  ) throws(ImageError) -> Artefact.Contents {
    var writer = try MemoryWriter(limit: largest)
    guard try Compression.gzip.unpack(bytes, into: &writer) else {
      throw ImageError(.tooLarge, "unpacks to more than \(largest) bytes")
    }
    return Artefact.Contents(try writer.finish())
  }

  /// The value of an option without its quotes, `n` where the text says that it is not set, nil
  /// where it does not name it.
  func value(of option: String) -> String? {
    let bytes = text.bytes.raw
    let line = UInt8(ascii: "\n")
    func end(_ start: Int) -> Int { bytes[start...].firstIndex(of: line) ?? bytes.count }
    if let start = bytes.lineStart(Array("\(option)=".utf8)) {
      let value = start + option.utf8.count + 1
      return Self.unquoted(String(decoding: bytes[value..<end(value)], as: UTF8.self))
    }
    return bytes.lineStart(Array("# \(option) is not set".utf8)).map { _ in "n" }
  }

  /// A text option as Kconfig writes it: in quotes, with `\` before quotes and backslashes.
  private static func unquoted(_ value: String) -> String {
    guard value.count >= 2, value.hasPrefix("\""), value.hasSuffix("\"") else { return value }
    var text = ""
    var isEscaped = false
    for character in value.dropFirst().dropLast() {
      if character == "\\" && !isEscaped {
        isEscaped = true
      } else {
        text.append(character)
        isEscaped = false
      }
    }
    return text
  }
}

extension UnsafeRawBufferPointer {
  /// Where a line that begins with `text` begins.
  fileprivate func lineStart(_ text: [UInt8]) -> Int? {
    if starts(with: text) { return 0 }
    return firstOffset(of: [UInt8(ascii: "\n")] + text, from: 0).map { $0 + 1 }
  }
}
