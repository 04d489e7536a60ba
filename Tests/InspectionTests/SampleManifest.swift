import BootMachine
import Foundation
import KernelImage
import Mitigation
import Testing

@testable import Inspection

/// vmlinux-samples/manifest.json: what is true of each sample. Its README documents the fields.
struct SampleManifest: Decodable {
  struct Sample: Decodable, CustomTestStringConvertible {
    var name: String
    var file: String
    var what: String
    var expected: Expected

    var testDescription: String { name }
  }

  struct Expected: Decodable {
    struct Variant: Decodable {
      var outer: Int
      var inner: Int
      var `class`: SequenceClass
      var barrier: Bool
      var takenBranches: Int
      var selectedBy: String
    }

    struct Site: Decodable, Hashable {
      var entryPoint: EntryPoint
      var feature: Int
    }

    struct Layout: Decodable {
      var altInstrSize: Int
      var x86CapabilityOffset: Int
      var bugBhi: Int
    }

    var shape: SequenceShape
    var sequenceSymbol: String?
    var variants: [Variant]
    var alternativesInside: [Int]
    var sites: [Site]
    var siteBarrier: Bool
    var missing: [EntryPoint]?
    var layout: Layout
    var staticFindings: [String]
    var contract: String?
    var paths: String?
    var pathFindings: [String]
  }

  struct CPU: Decodable {
    var what: String
    var cpuid: [[String]]
    var msrs: [String: String]
  }

  struct Environment: Decodable {
    struct Bits: Decodable {
      var leaf: String
      var subleaf: String
      var register: CPUIDRegister
      var bits: String
    }

    var what: String
    var kvmBase: String?
    var hiddenMsrs: [String]
    var cpuid: [[String]]
    var sets: [Bits]
    var clears: [Bits]
  }

  struct Row: Decodable {
    struct Choice: Decodable, Hashable {
      var mechanism: Mechanism
      var sequence: SelectedSequence
    }

    var cpu: String
    var environment: String
    var statement: Statement
    var alsoStates: Statement?
    var commandLine: String
    var userToKernel: Choice
    var guestToHost: Choice
    var entryPoints: [EntryPoint: Choice]?
    var sysfs: String

    /// What makes two rows the same path.
    var key: [String] {
      [cpu, environment, statement.rawValue, alsoStates?.rawValue ?? "", commandLine]
    }

    func choice(at entryPoint: EntryPoint) -> Choice {
      entryPoints?[entryPoint]
        ?? (entryPoint.vector == .userToKernel ? userToKernel : guestToHost)
    }

    private enum CodingKeys: String, CodingKey {
      case cpu, environment, statement, alsoStates, commandLine
      case userToKernel = "user-to-kernel"
      case guestToHost = "guest-to-host"
      case entryPoints, sysfs
    }
  }

  struct PathTable: Decodable {
    /// The table that this one differs from.
    var like: String?
    var rows: [Row]
  }

  private struct Contracts: Decodable {
    var contracts: [Contract]
  }

  /// A sample with a KVM, and what that says.
  struct Host: Decodable, CustomTestStringConvertible {
    struct Answer: Decodable {
      /// The id of the host.
      var host: String
      /// Whether short-adequate is promised; null: unknown. So for the others.
      var promises: Bool?
      var forces: Bool?
      /// What a VM is promised that asked for nothing; null: not stated.
      var unasked: Bool?
      /// What a VM is promised that asked; null: KVM refused.
      var whenForced: Bool?
      var whenStopped: Bool?
    }

    var name: String
    var what: String
    /// Files of modules.
    var modules: [String]
    var findings: [String]
    var answers: [Answer]

    var testDescription: String { name }
  }

  var formatVersion: Int
  var samples: [Sample]
  var hosts: [Host]
  var cpus: [String: CPU]
  var environments: [String: Environment]
  var pathTables: [String: PathTable]
  var contracts: [Contract] = []

  private enum CodingKeys: String, CodingKey {
    case formatVersion, samples, hosts, cpus, environments, pathTables
  }

  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../vmlinux-samples").standardizedFileURL

  /// The manifest with its contracts; those that the tool ships itself come first.
  static func read() throws -> SampleManifest {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    var manifest = try decoder.decode(
      SampleManifest.self, from: Data(contentsOf: folder.appending(path: "manifest.json")))
    let own = try decoder.decode(
      Contracts.self, from: Data(contentsOf: folder.appending(path: "contracts.json")))
    manifest.contracts = try MatrixCatalog.standard().contracts + own.contracts
    return manifest
  }

  /// The rows of a table: those of the one it is like, with its own in their place or after them.
  func rows(of name: String) throws -> [Row] {
    guard let table = pathTables[name] else { throw SampleError("no path table \(name)") }
    var rows = try table.like.map { try self.rows(of: $0) } ?? []
    for row in table.rows {
      if let index = rows.firstIndex(where: { $0.key == row.key }) {
        rows[index] = row
      } else {
        rows.append(row)
      }
    }
    return rows
  }

  /// The built image; it is missing until `make` has run.
  func kernel(of sample: Sample) throws -> KernelImage {
    guard
      let artefact = try Artefact.open(path: Self.folder.appending(path: sample.file).path()).first
    else { throw SampleError("\(sample.file) holds no kernel") }
    return try KernelImage(artefact)
  }

  /// The processor as a kernel sees it on this path.
  func processor(for row: Row, contract id: String?) throws -> Processor {
    guard let cpu = cpus[row.cpu], let environment = environments[row.environment] else {
      throw SampleError("no CPU \(row.cpu) or environment \(row.environment)")
    }
    var table = CPUIDTable()
    for entry in cpu.cpuid + environment.cpuid {
      let values: [UInt32] = try entry.map { try Self.number($0) }
      guard values.count == 6 else { throw SampleError("six numbers a leaf: \(entry)") }
      table.set(
        leaf: values[0], subleaf: values[1],
        registers: CPUIDRegisters(
          eax: values[2], ebx: values[3], ecx: values[4], edx: values[5]))
    }
    for change in environment.sets {
      try Self.change(&table, change) { $0 |= $1 }
    }
    for change in environment.clears {
      try Self.change(&table, change) { $0 &= ~$1 }
    }
    var msrs: [UInt32: UInt64] = [:]
    for (index, value) in cpu.msrs { msrs[try Self.number(index)] = try Self.number(value) }
    for index in environment.hiddenMsrs {
      let hidden: UInt32 = try Self.number(index)
      msrs[hidden] = nil
    }
    let contract = contracts.first { $0.id == id }
    for statement in [row.statement, row.alsoStates].compactMap(\.self) where statement != .silent {
      guard let contract else { continue }
      let bit = statement == .shortAdequate ? contract.shortAdequate : contract.longRequired
      guard let bit else { throw SampleError("\(contract.id) cannot say \(statement)") }
      switch contract.place {
      case .cpuid(_, let offset, let register):
        guard let base = environment.kvmBase else { throw SampleError("no KVM to state it") }
        let first: UInt32 = try Self.number(base)
        let leaf = first + offset
        var registers = table[leaf, 0] ?? .zero
        registers[register] |= 1 << UInt32(bit)
        table.set(leaf: leaf, registers: registers)
      case .msr(let index, let enumeration):
        for place in enumeration { msrs[place.msr, default: 0] |= 1 << UInt64(place.bit) }
        msrs[index, default: 0] |= 1 << UInt64(bit)
      }
    }
    return Processor(
      id: row.cpu, title: cpu.what, cpuid: table, msrs: msrs, given: ["the manifest"])
  }

  private static func change(
    _ table: inout CPUIDTable, _ change: Environment.Bits,
    _ apply: (inout UInt32, UInt32) -> Void
  ) throws {
    let leaf: UInt32 = try number(change.leaf)
    let subleaf: UInt32 = try number(change.subleaf)
    guard var registers = table[leaf, subleaf] else { return }
    apply(&registers[change.register], try number(change.bits))
    table.set(leaf: leaf, subleaf: subleaf, registers: registers)
  }

  private static func number<T: FixedWidthInteger>(_ text: String) throws -> T {
    guard text.hasPrefix("0x"), let value = T(text.dropFirst(2), radix: 16) else {
      throw SampleError("not a hexadecimal number: \(text)")
    }
    return value
  }
}

/// The samples as far as they can be tested here.
enum BuiltSamples {
  static let manifest = Result { try SampleManifest.read() }
  static let all = (try? manifest.get().samples) ?? []
  static let hosts = (try? manifest.get().hosts) ?? []

  /// Whether `make -C vmlinux-samples` has run.
  static let areThere =
    !all.isEmpty
    && (all.map(\.file) + hosts.flatMap { ["build/\($0.name).vmlinux"] + $0.modules }).allSatisfy {
      FileManager.default.fileExists(atPath: SampleManifest.folder.appending(path: $0).path())
    }
}

struct SampleError: Error, CustomStringConvertible {
  var description: String

  init(_ description: String) { self.description = description }
}
