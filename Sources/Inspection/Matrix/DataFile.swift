public import BootMachine
import Foundation

/// A data file that extends or overrides what is compiled in.
public struct DataFile: Sendable, Hashable {
  /// What it is about, by its name.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    case processors = "cpus.json"
    case environments = "environments.json"
    case contracts = "contracts.json"
    case commandLines = "command-lines.json"
    case policies = "policies.json"
    case knownBits = "known-bits.json"
    case hosts = "hosts.json"
  }

  public var kind: Kind
  /// Its path, as it will be reported.
  public var path: String
  public var bytes: [UInt8]

  public init(kind: Kind, path: String, bytes: [UInt8]) {
    self.kind = kind
    self.path = path
    self.bytes = bytes
  }

  /// The data files in `directory`, in the order of their kinds; those that are not there are left
  /// out.
  ///
  /// - Parameter name: what reports call the directory; by default as it is given.
  /// - Throws: if the directory or a file in it cannot be read. The error names the system's reason.
  public static func files(
    in directory: String, reportedAs name: String? = nil
  ) throws(DataError) -> [DataFile] {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: directory)
    } catch {
      throw DataError(.unreadable, file: directory, message: error.localizedDescription)
    }
    var files: [DataFile] = []
    for kind in Kind.allCases where names.contains(kind.rawValue) {
      let path = Self.path(of: kind, in: directory)
      do {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        files.append(
          DataFile(kind: kind, path: Self.path(of: kind, in: name ?? directory), bytes: Array(data))
        )
      } catch {
        throw DataError(.unreadable, file: path, message: error.localizedDescription)
      }
    }
    return files
  }

  private static func path(of kind: Kind, in directory: String) -> String {
    (directory.hasSuffix("/") ? directory : directory + "/") + kind.rawValue
  }
}
