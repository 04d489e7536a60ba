import Mitigation
import Testing

@Suite struct HexTests {
  @Test(arguments: [
    (UInt64(0), "\"0x0000000000000000\""),
    (0xffff_ffff_81e0_1c80, "\"0xffffffff81e01c80\""),
    (.max, "\"0xffffffffffffffff\""),
  ])
  func addressesHaveSixteenDigits(value: UInt64, text: String) throws {
    #expect(try json(Address(value)) == text)
    #expect(try roundTrip(Address(value)) == Address(value))
  }

  @Test(arguments: [(UInt32(7), "\"0x00000007\""), (0x4000_0001, "\"0x40000001\"")])
  func shortNumbersHaveEightDigits(value: UInt32, text: String) throws {
    #expect(try json(Hex32(value)) == text)
    #expect(try roundTrip(Hex32(value)) == Hex32(value))
  }

  @Test(arguments: [([UInt8](), "\"\""), ([0x0f, 0xae, 0xe8], "\"0faee8\"")])
  func bytesHaveTwoDigitsEach(bytes: [UInt8], text: String) throws {
    #expect(try json(HexBytes(bytes)) == text)
    #expect(try roundTrip(HexBytes(bytes)) == HexBytes(bytes))
  }

  @Test(arguments: ["0x", "0x1g", "0x+1", "-1", "", "0x1ffffffffffffffff", " 0x1"])
  func whatIsNoAddressIsRefused(text: String) {
    #expect(throws: DecodingError.self) { try decode("\"\(text)\"", as: Address.self) }
  }

  @Test(arguments: ["0", "0fa", "0g", "+f", "-1", " 1", "é"])
  func whatIsNoHexByteIsRefused(text: String) {
    #expect(throws: DecodingError.self) { try decode("\"\(text)\"", as: HexBytes.self) }
  }

  @Test func aLeafBeyondThirtyTwoBitsIsRefused() {
    #expect(throws: DecodingError.self) { try decode("\"0x100000000\"", as: Hex32.self) }
  }

  @Test func numbersOnACommandLineAreHexOrDecimal() {
    #expect(parseNumber("0x10A", as: UInt32.self) == 0x10a)
    #expect(parseNumber("0X48", as: UInt32.self) == 0x48)
    #expect(parseNumber("72", as: UInt32.self) == 72)
    #expect(parseNumber("0x-48", as: Int.self) == nil)
    #expect(parseNumber("48h", as: UInt32.self) == nil)
  }

  @Test func addressesAreOrderedByValue() {
    #expect(Address(2) < Address(10))
    #expect(Hex32(0x9) < Hex32(0x10))
  }
}
