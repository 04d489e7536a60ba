import BootMachine
import Foundation
import Inspection
import Mitigation

/// Tests/Fixtures/real-boots.json: what real kernels said when they were booted.
struct RealBoots: Decodable {
  struct RecordedProcessor: Decodable {
    var what: String
    /// The processor whose leaves it has, apart from its own.
    var like: String?
    /// `LEAF.SUBLEAF EAX EBX ECX EDX`, in hex.
    var leaves: [String]
  }

  struct Boot: Decodable {
    var release: String
    var processor: String
    var msrs: [String: String]
    var commandLine: String
    var spectreV2: String?
    var messages: [String]?
  }

  /// What marks the lines of the log that `messages` holds.
  var subjects: [String]
  var processors: [String: RecordedProcessor]
  var boots: [Boot]

  static let all: Result<RealBoots, any Error> = Result {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Fixtures/real-boots.json").standardizedFileURL
    return try decoder.decode(RealBoots.self, from: Data(contentsOf: file))
  }

  /// The processor that a boot ran on. Every register that it does not name reads 0, as under QEMU.
  func processor(of boot: Boot) throws -> Processor {
    var msrs: [UInt32: UInt64] = [:]
    for (index, value) in boot.msrs {
      msrs[try Self.number(index.dropFirst(2))] = try Self.number(value.dropFirst(2))
    }
    return Processor(
      id: boot.processor, title: processors[boot.processor]?.what ?? "",
      cpuid: try table(of: boot.processor), msrs: msrs, msrDefault: .value(0),
      given: ["a real boot"])
  }

  private func table(of name: String) throws -> CPUIDTable {
    guard let processor = processors[name] else { throw FixtureError("no processor \(name)") }
    var table = try processor.like.map { try self.table(of: $0) } ?? CPUIDTable()
    for leaf in processor.leaves {
      let words = leaf.split { $0 == " " || $0 == "." }
      let numbers: [UInt32] = try words.map { try Self.number($0) }
      guard numbers.count == 6 else { throw FixtureError("not a leaf: \(leaf)") }
      table.set(
        leaf: numbers[0], subleaf: numbers[1],
        registers: CPUIDRegisters(
          eax: numbers[2], ebx: numbers[3], ecx: numbers[4], edx: numbers[5]))
    }
    return table
  }

  private static func number<T: FixedWidthInteger>(_ text: some StringProtocol) throws -> T {
    guard let value = T(text, radix: 16) else { throw FixtureError("not a number: \(text)") }
    return value
  }
}

struct FixtureError: Error, CustomStringConvertible {
  var description: String

  init(_ description: String) { self.description = description }
}
