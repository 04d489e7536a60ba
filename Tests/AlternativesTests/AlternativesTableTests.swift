import Testing

@testable import Alternatives

/// A table of 14-byte entries for code at 0x1000..<0x2000, replacements at 0x3000..<0x3100.
private struct TableBytes {
  static let address: UInt64 = 0x4000
  var bytes: [UInt8] = []
  var stride = 14

  mutating func add(
    site: UInt64, replacement: UInt64, feature: UInt16 = 673, flags: UInt16 = 0,
    original: UInt8 = 5, length: UInt8 = 5
  ) {
    let here = Self.address + UInt64(bytes.count)
    var entry: [UInt8] = []
    func append(_ value: some FixedWidthInteger) {
      withUnsafeBytes(of: value.littleEndian) { entry.append(contentsOf: $0) }
    }
    append(Int32(truncatingIfNeeded: site &- here))
    append(Int32(truncatingIfNeeded: replacement &- (here + 4)))
    append(stride == 14 ? feature : feature | flags << 15)
    if stride == 14 { append(flags) }
    entry += [original, length]
    if stride == 13 { entry.append(0) }
    bytes += entry
  }

  var table: AlternativesTable {
    bytes.withUnsafeBytes { bytes in
      AlternativesTable(
        bytes, range: Self.address..<(Self.address + UInt64(bytes.count)),
        bounds: CodeBounds(sites: [0x1000..<0x2000], replacements: [0x3000..<0x3100]))
    }
  }
}

@Suite("Table of alternatives")
struct AlternativesTableTests {
  private func sound(stride: Int = 14) -> TableBytes {
    var bytes = TableBytes(stride: stride)
    for index in 0..<8 {
      bytes.add(site: 0x1000 + 32 * UInt64(index), replacement: 0x3000 + 5 * UInt64(index))
    }
    return bytes
  }

  @Test("each known layout is recognised by its content", arguments: [12, 13, 14])
  func layouts(_ stride: Int) {
    var bytes = sound(stride: stride)
    bytes.add(site: 0x1F00, replacement: 0x3050, feature: 77, flags: 1, original: 9, length: 3)
    let table = bytes.table
    #expect(table.layout?.stride == stride)
    #expect(table.faults.isEmpty)
    #expect(table.entries.count == 9)
    let last = table.entries.last
    #expect(last?.site == 0x1F00)
    #expect(last?.replacement == 0x3050)
    #expect(last?.feature == 77)
    #expect(last?.negated == true)
    #expect(last?.originalLength == 9)
    #expect(last?.replacementLength == 3)
    #expect(table.entries.first?.negated == false)
  }

  @Test("flag bit 1 is a direct call, not a negation")
  func directCall() {
    var bytes = sound()
    bytes.add(site: 0x1F00, replacement: 0x3050, flags: 2)
    #expect(bytes.table.entries.last?.directCall == true)
    #expect(bytes.table.entries.last?.negated == false)
  }

  @Test("alternatives of one site may differ in length")
  func nested() {
    var bytes = sound()
    bytes.add(site: 0x1F00, replacement: 0x3050, original: 5, length: 5)
    bytes.add(site: 0x1F00, replacement: 0x3060, original: 9, length: 9)
    #expect(bytes.table.faults.isEmpty)
  }

  @Test("an empty replacement may point anywhere")
  func emptyReplacement() {
    var bytes = sound()
    bytes.add(site: 0x1F00, replacement: 0x9000, length: 0)
    #expect(bytes.table.faults.isEmpty)
  }

  @Test("every kind of fault is found, and the rest of the table is still read")
  func faults() {
    let cases: [(TableFault.Kind, (inout TableBytes) -> Void)] = [
      (.siteOutside, { $0.add(site: 0x8000, replacement: 0x3050) }),
      (.siteOutside, { $0.add(site: 0x1FFE, replacement: 0x3050) }),
      (.replacementOutside, { $0.add(site: 0x1F00, replacement: 0x30FE) }),
      (.replacementTooLong, { $0.add(site: 0x1F00, replacement: 0x3050, original: 4) }),
      (.unknownFeature, { $0.add(site: 0x1F00, replacement: 0x3050, feature: 0xFFF0) }),
      (.overlap, { $0.add(site: 0x1003, replacement: 0x3050) }),
      (.partialEntry, { $0.bytes += [1, 2, 3] }),
    ]
    for (kind, spoil) in cases {
      var bytes = sound()
      spoil(&bytes)
      let table = bytes.table
      #expect(table.faults.map(\.kind) == [kind])
      #expect(table.entries.prefix(8).map(\.site) == sound().table.entries.map(\.site))
    }
  }

  @Test("bytes that fit no layout are one fault")
  func noise() {
    let table = TableBytes(bytes: (0..<140).map { UInt8($0 &* 37 & 0x7F) }).table
    #expect(table.layout == nil)
    #expect(table.faults.map(\.kind) == [.unknownLayout])
  }

  @Test("a table of more than 16 MiB is not read")
  func tooLong() {
    var bytes = sound()
    #expect(bytes.table.faults.isEmpty)
    bytes.bytes += [UInt8](repeating: 0, count: AlternativesTable.longest + 1 - bytes.bytes.count)
    #expect(bytes.table.entries.isEmpty)
    #expect(bytes.table.faults.map(\.kind) == [.tooLong])
  }

  @Test("no bytes make it crash, whatever the addresses")
  func hostile() {
    var state: UInt32 = 1
    for round in 0..<400 {
      var bytes = sound(stride: [12, 13, 14][round % 3])
      for _ in 0..<(round % 20) {
        state = state &* 1_664_525 &+ 1_013_904_223
        bytes.bytes[Int(state >> 8) % bytes.bytes.count] = UInt8(truncatingIfNeeded: state >> 16)
      }
      bytes.bytes.removeLast(round % 7)
      let range = (UInt64.max - UInt64(bytes.bytes.count))..<UInt64.max
      let table = bytes.bytes.withUnsafeBytes { raw in
        AlternativesTable(
          raw, range: range,
          bounds: CodeBounds(sites: [0..<UInt64.max], replacements: [0..<UInt64.max]))
      }
      #expect(table.entries.allSatisfy { $0.siteRange.lowerBound <= $0.siteRange.upperBound })
      _ = bytes.table
    }
  }
}
