/// An address in an image, written in reports as `0x` and 16 lower-case hex digits.
///
/// JSON numbers lose the upper bits of kernel addresses, so no report holds one as a number.
public struct Address: Hashable, Comparable, Sendable, CustomStringConvertible {
  public var value: UInt64

  public init(_ value: UInt64) { self.value = value }

  public static func < (left: Address, right: Address) -> Bool { left.value < right.value }

  public var description: String { hexadecimal(value, digits: 16) }
}

/// A 32-bit number that people know in hex: a CPUID leaf, an MSR index.
public struct Hex32: Hashable, Comparable, Sendable, CustomStringConvertible {
  public var value: UInt32

  public init(_ value: UInt32) { self.value = value }

  public static func < (left: Hex32, right: Hex32) -> Bool { left.value < right.value }

  public var description: String { hexadecimal(UInt64(value), digits: 8) }
}

/// Machine code or other bytes, written in reports as hex digits without separators.
public struct HexBytes: Hashable, Sendable, CustomStringConvertible {
  public var bytes: [UInt8]

  public init(_ bytes: some Swift.Sequence<UInt8>) { self.bytes = Array(bytes) }

  public var description: String {
    var text = ""
    text.reserveCapacity(bytes.count * 2)
    for byte in bytes {
      text += byte < 16 ? "0" : ""
      text += String(byte, radix: 16)
    }
    return text
  }
}

/// `value` as `0x` and at least `digits` lower-case hex digits.
public func hexadecimal(_ value: UInt64, digits: Int = 1) -> String {
  let plain = String(value, radix: 16)
  return "0x" + String(repeating: "0", count: max(0, digits - plain.count)) + plain
}

/// The number that `text` writes, in hex behind `0x`, else in decimal; nil if it is neither.
public func parseNumber<Number: FixedWidthInteger>(
  _ text: some StringProtocol, as type: Number.Type = Number.self
) -> Number? {
  if text.hasPrefix("0x") || text.hasPrefix("0X") {
    let digits = text.dropFirst(2)
    // Number(_:radix:) takes a sign, which no hex number here has.
    guard let first = digits.first, first.isHexDigit else { return nil }
    return Number(digits, radix: 16)
  }
  return Number(text)
}

/// Conforms a value that is written as a hex string to Codable.
protocol HexCodable: Codable, CustomStringConvertible {
  init?(hex: String)
}

extension HexCodable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let value = Self(hex: text) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "not hex: \(text)")
    }
    self = value
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

extension Address: HexCodable {
  init?(hex: String) {
    guard let value = parseNumber(hex, as: UInt64.self) else { return nil }
    self.init(value)
  }
}

extension Hex32: HexCodable {
  init?(hex: String) {
    guard let value = parseNumber(hex, as: UInt32.self) else { return nil }
    self.init(value)
  }
}

extension HexBytes: HexCodable {
  init?(hex: String) {
    guard hex.utf8.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    var rest = Substring(hex)
    while !rest.isEmpty {
      let digits = rest.prefix(2)
      // UInt8(_:radix:) takes a sign, which no byte here has.
      guard digits.allSatisfy(\.isHexDigit), let byte = UInt8(digits, radix: 16) else {
        return nil
      }
      bytes.append(byte)
      rest = rest.dropFirst(2)
    }
    self.init(bytes)
  }
}
