public import BootMachine
public import Mitigation

/// Everything that boot paths are made of and judged by: processors, environments, contracts,
/// command lines, policies.
public struct MatrixCatalog: Sendable {
  public private(set) var processors: ProcessorCatalog
  public private(set) var environments: [BootEnvironment]
  public private(set) var contracts: [Contract]
  public private(set) var commandLines: [CommandLine]
  /// What boot paths are judged by; the first one is the default.
  public private(set) var policies: [Policy]
  /// The bits of hypervisors' leaves whose meaning is known.
  public private(set) var knownBits: [KnownBit]
  /// The kinds of host that KVM is asked on.
  public private(set) var hosts: [HostKind]
  /// The files that extended or overrode what is compiled in, in the order they were read.
  public private(set) var overrides: [DataFile]

  /// What is compiled in, extended and overridden by id by the files in `overrides`: the later one
  /// wins.
  ///
  /// - Throws: for a file that cannot be decoded, or that refers to what does not exist.
  public static func standard(overrides: [DataFile] = []) throws(DataError) -> MatrixCatalog {
    func documents(_ kind: DataFile.Kind, _ builtIn: [UInt8]) -> [(file: String, bytes: [UInt8])] {
      [(file: kind.rawValue, bytes: builtIn)]
        + overrides.filter { $0.kind == kind }.map { (file: $0.path, bytes: $0.bytes) }
    }
    let added = overrides.filter { $0.kind == .processors }.map {
      (file: $0.path, bytes: $0.bytes)
    }
    var contracts: [Contract] = []
    for (file, bytes) in documents(.contracts, PackageResources.contracts_json) {
      let document: ContractDocument = try decodeDocument(bytes, file: file)
      merge(document.contracts, into: &contracts, by: \.id)
    }
    var lines: [CommandLine] = []
    for (file, bytes) in documents(.commandLines, PackageResources.command_lines_json) {
      let document: CommandLineDocument = try decodeDocument(bytes, file: file)
      merge(document.commandLines, into: &lines, by: \.name)
    }
    var policies: [Policy] = []
    for (file, bytes) in documents(.policies, PolicyDocument.builtIn) {
      let document: PolicyDocument = try decodeDocument(bytes, file: file)
      merge(document.policies, into: &policies, by: \.id)
    }
    var knownBits: [KnownBit] = []
    for (file, bytes) in documents(.knownBits, PackageResources.known_bits_json) {
      let document: KnownBitDocument = try decodeDocument(bytes, file: file)
      merge(document.knownBits, into: &knownBits, by: \.place)
    }
    var hosts: [HostKind] = []
    for (file, bytes) in documents(.hosts, PackageResources.hosts_json) {
      let document: HostDocument = try decodeDocument(bytes, file: file)
      merge(document.hosts, into: &hosts, by: \.id)
    }
    return MatrixCatalog(
      processors: try ProcessorCatalog.standard(overrides: added),
      environments: try environments(
        documents(.environments, PackageResources.environments_json)),
      contracts: contracts, commandLines: lines, policies: policies, knownBits: knownBits,
      hosts: hosts, overrides: overrides)
  }

  public func environment(id: String) -> BootEnvironment? {
    environments.first { $0.id == id }
  }

  public func contract(id: String) -> Contract? {
    contracts.first { $0.id == id }
  }

  public func commandLine(name: String) -> CommandLine? {
    commandLines.first { $0.name == name }
  }

  public func policy(id: String) -> Policy? {
    policies.first { $0.id == id }
  }

  private static func environments(
    _ documents: [(file: String, bytes: [UInt8])]
  ) throws(DataError) -> [BootEnvironment] {
    var records: [EnvironmentRecord] = []
    for (file, bytes) in documents {
      let document: EnvironmentDocument = try decodeDocument(bytes, file: file)
      merge(document.environments, into: &records, by: \.id)
    }
    var result: [BootEnvironment] = []
    for record in records {
      var parent: BootEnvironment?
      if let name = record.extends {
        // A parent stands before what extends it, which also rules out cycles.
        guard let found = result.first(where: { $0.id == name }) else {
          throw DataError(
            file: documents.map(\.file).joined(separator: ", "),
            message: "\(record.id) extends \(name), which does not stand before it")
        }
        parent = found
      }
      result.append(record.environment(parent: parent))
    }
    return result
  }

  private static func merge<Value, ID: Equatable>(
    _ values: [Value], into result: inout [Value], by id: (Value) -> ID
  ) {
    for value in values {
      if let index = result.firstIndex(where: { id($0) == id(value) }) {
        result[index] = value
      } else {
        result.append(value)
      }
    }
  }
}

private struct EnvironmentDocument: Decodable {
  var environments: [EnvironmentRecord]
}

private struct ContractDocument: Decodable {
  var contracts: [Contract]
}

private struct KnownBitDocument: Decodable {
  var knownBits: [KnownBit]
}

private struct HostDocument: Decodable {
  var hosts: [HostKind]
}

private struct CommandLineDocument: Decodable {
  var commandLines: [CommandLine]
}
