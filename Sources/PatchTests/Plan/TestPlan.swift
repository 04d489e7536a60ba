import Foundation
public import Inspection
public import Mitigation

/// What has to be tested because of a patch: the document that everything else is written from.
public struct TestPlan: Sendable, Hashable, Codable {
  public static let currentFormatVersion = 1

  public struct Patch: Sendable, Hashable, Codable {
    public var file: String
    public var subject: String
  }

  /// A hunk with what it touches.
  public struct Hunk: Sendable, Hashable, Codable {
    public enum Placement: String, Sendable, Hashable, Codable, CaseIterable {
      /// It was recognised.
      case placed
      /// It is in this area, and it is not known what it does.
      case unplaced
      /// It is not in this area.
      case outOfScope = "out-of-scope"
    }

    /// The patch's number, the file's and the hunk's: `1.2.1`.
    public var id: String
    public var patch: String
    /// The line of its header in the patch.
    public var line: Int
    public var file: String
    public var section: String
    public var placement: Placement
    public var subjects: [PatchSubject]
    /// Why it was placed so, in words.
    public var reason: String
  }

  /// A constant that the patch defines.
  public struct Definition: Sendable, Hashable, Codable {
    public var name: String
    public var value: String
    public var patch: String
    public var line: Int
    /// What it was taken for, in words.
    public var taken: String
  }

  /// A boot path to test, and what it has to give.
  public struct Test: Sendable, Hashable, Codable {
    public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
      /// It fails without the patch and passes with it.
      case changes
      /// It passes with and without the patch.
      case keeps
      /// There is no build to tell by.
      case unknown
    }

    public var id: String
    public var path: BootPath
    public var kind: Kind
    /// What the patched build gives; null where there is none.
    @OrNull public var expected: ExpectedOutcome?
    /// In what the build without the patch differs.
    public var before: [String]
    /// The least that the policy asks for at each entry point.
    public var required: [EntryPoint: Requirement]
    /// How a running kernel knows that it is on this path.
    public var machine: PlannedMachine
    /// Whether QEMU can show the path.
    public var isBootable: Bool
    public var why: String
    /// Ids of the hunks that it covers.
    public var covers: [String]

    private enum CodingKeys: String, CodingKey {
      case id, path, kind, expected, before, required, machine
      case isBootable = "bootable"
      case why, covers
    }
  }

  /// How many wrong builds the tests notice.
  public struct Mutants: Sendable, Hashable, Codable {
    /// That some boot path of the whole matrix notices.
    public var killable: Int
    /// Of these, that a test of the plan notices.
    public var noticed: Int
    /// Of these, that the boot set notices.
    public var noticedByBoots: Int
    /// Survivors that nothing explains.
    public var unexplained: Int

    private enum CodingKeys: String, CodingKey {
      case killable, noticed
      case noticedByBoots = "noticed_by_boots"
      case unexplained
    }
  }

  public var formatVersion = TestPlan.currentFormatVersion
  public var tool: Report.Tool
  public var patches: [Patch]
  /// Why there is nothing to test; null if there is something.
  @OrNull public var emptyBecause: String?
  /// The release of the patched build; null where none was given.
  @OrNull public var kernel: String?
  /// The id of the contract that statements are made by.
  @OrNull public var contract: String?
  /// Contracts that the patch defines.
  public var contracts: [PlannedContract]
  /// Command lines that the patch makes worth a boot.
  public var commandLines: [PlannedCommandLine]
  public var definitions: [Definition]
  public var hunks: [Hunk]
  public var tests: [Test]
  /// The fewest tests found, by their ids, that notice every mutant which QEMU's boots can notice;
  /// without a build: one for each kind of path.
  public var bootSet: [String]
  @OrNull public var mutants: Mutants?

  private enum CodingKeys: String, CodingKey {
    case formatVersion = "format_version"
    case tool, patches
    case emptyBecause = "empty_because"
    case kernel, contract, contracts
    case commandLines = "command_lines"
    case definitions, hunks, tests
    case bootSet = "boot_set"
    case mutants
  }

  public init(tool: Report.Tool, patches: [Patch]) {
    self.tool = tool
    self.patches = patches
    contracts = []
    commandLines = []
    definitions = []
    hunks = []
    tests = []
    bootSet = []
    emptyBecause = nil
    kernel = nil
    contract = nil
    mutants = nil
  }

  /// Reads a plan that was written before.
  public init(file: String) throws(PatchError) {
    guard let data = FileManager.default.contents(atPath: file) else {
      throw PatchError(file: file, message: "cannot be read", isMissing: true)
    }
    do {
      self = try JSONDecoder().decode(TestPlan.self, from: data)
    } catch {
      throw PatchError(file: file, message: "is no plan of bhbcheck generate: \(error)")
    }
    guard formatVersion == Self.currentFormatVersion else {
      throw PatchError(
        file: file,
        message: "has format version \(formatVersion); this bhbcheck reads "
          + "\(Self.currentFormatVersion)")
    }
  }

  /// The same bytes for the same plan.
  public var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    // Nothing in a plan is a number that JSON does not have.
    let data = (try? encoder.encode(self)) ?? Data()
    return String(decoding: data, as: UTF8.self) + "\n"
  }

  /// What a path has to give; nil if the plan does not say.
  public func expected(_ id: String) -> ExpectedOutcome? {
    tests.first { $0.id == id }?.expected
  }

  /// The rows of the boot set.
  ///
  /// - Throws: for a path that the matrix does not have.
  public func bootRows(of matrix: Matrix) throws(PatchError) -> [Matrix.Row] {
    var rows: [Matrix.Row] = []
    for id in bootSet {
      guard let row = matrix.rows.first(where: { $0.path.id == id }) else {
        throw PatchError(file: "plan", message: "there is no boot path \(id)")
      }
      rows.append(row)
    }
    return rows
  }
}
