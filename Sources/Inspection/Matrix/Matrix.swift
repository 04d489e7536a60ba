public import BootMachine
public import Mitigation

/// Which boot paths to run; an empty list means the default of that dimension.
public struct MatrixFilter: Sendable, Hashable {
  /// Ids of processors.
  public var processors: [String]
  /// Ids of environments.
  public var environments: [String]
  public var statements: [Statement]
  /// Names of command lines.
  public var commandLineNames: [String]
  /// Command lines as the user wrote them, in place of the default list.
  public var literalCommandLines: [String]

  public init(
    processors: [String] = [], environments: [String] = [], statements: [Statement] = [],
    commandLineNames: [String] = [], literalCommandLines: [String] = []
  ) {
    self.processors = processors
    self.environments = environments
    self.statements = statements
    self.commandLineNames = commandLineNames
    self.literalCommandLines = literalCommandLines
  }

  /// Whether it asks for anything but the default.
  public var isEmpty: Bool {
    processors.isEmpty && environments.isEmpty && statements.isEmpty && commandLineNames.isEmpty
      && literalCommandLines.isEmpty
  }
}

/// The boot paths to run on an image, each with what the kernel sees on it.
public struct Matrix: Sendable {
  /// One boot path.
  public struct Row: Sendable, Hashable {
    public var path: BootPath
    /// The processor as the kernel sees it: the environment and the statement are applied.
    public var processor: Processor
    public var environment: BootEnvironment
    public var commandLine: CommandLine
  }

  /// In a stable order, without two of the same id.
  public private(set) var rows: [Row] = []

  /// The contract that the statements were made through; nil if only silence is in the matrix.
  public let contract: Contract?

  /// Whether it has all kinds of paths, so that what happens on none of its rows happens nowhere.
  public private(set) var isComplete = false

  /// The default matrix of `catalog`, or what `filter` asks for.
  ///
  /// By default: every processor on bare metal; the processors that stand for a generation in every
  /// environment that applies to them and can be run, some of them with every statement that the contract can make
  /// there; and two of them, on bare metal and under KVM, with every command line. A filter asks for the whole product of
  /// what it names; where it names nothing of a dimension, it means that dimension's plain value
  /// (bare metal, silent, the empty line) or, for processors, all.
  ///
  /// - Parameter contract: how statements are made; nil takes the first one of the catalogue.
  /// - Throws: if the filter names something that `catalog` does not have.
  public static func standard(
    _ catalog: MatrixCatalog, contract: Contract? = nil, filter: MatrixFilter = MatrixFilter()
  ) throws(DataError) -> Matrix {
    var matrix = Matrix(catalog: catalog, contract: contract ?? catalog.contracts.first)
    if filter.isEmpty {
      try matrix.addDefaults()
      matrix.isComplete = true
    } else {
      try matrix.addProduct(filter)
    }
    return matrix
  }

  /// The paths of one processor that was dumped: it fixes processor, environment and statement.
  public static func dumped(
    _ processor: Processor, catalog: MatrixCatalog, contract: Contract? = nil,
    commandLines: [CommandLine]
  ) -> Matrix {
    var matrix = Matrix(catalog: catalog, contract: contract ?? catalog.contracts.first)
    let environment = BootEnvironment.asDumped(processor)
    let statement = matrix.contract?.statement(to: processor, in: environment) ?? .silent
    for line in commandLines {
      matrix.append(
        Row(
          path: BootPath(
            cpu: processor.id, environment: environment.id, statement: statement,
            commandLineName: line.name, commandLine: line.line),
          processor: processor, environment: environment, commandLine: line))
    }
    return matrix
  }

  /// The paths of `rows`, put together elsewhere.
  ///
  /// - Parameter isComplete: whether they are of all kinds.
  static func of(
    _ rows: [Row], catalog: MatrixCatalog, contract: Contract?, isComplete: Bool
  ) -> Matrix {
    var matrix = Matrix(catalog: catalog, contract: contract)
    for row in rows { matrix.append(row) }
    matrix.isComplete = isComplete
    return matrix
  }

  /// The same with rows beside the decision table, at the edges of what kernels compare with: they
  /// tell apart what no row of the table does. Those that are there already are not there twice.
  public func withEdges() -> Matrix {
    var matrix = self
    for row in EdgePaths(self).rows { matrix.append(row) }
    return matrix
  }

  /// Processors that stand for a generation: they go through every environment.
  public static let keyProcessors = [
    "skylake-sp-ibrs", "ice-lake-sp", "alder-lake-early-microcode", "sapphire-rapids",
    "panther-lake", "zen3",
  ]

  /// Those of them that also hear every statement.
  public static let statementProcessors = ["ice-lake-sp", "sapphire-rapids"]

  /// Those that go through every command line.
  public static let commandLineProcessors = ["ice-lake-sp", "sapphire-rapids"]

  let catalog: MatrixCatalog
  private var ids: Set<String> = []

  private init(catalog: MatrixCatalog, contract: Contract?) {
    self.catalog = catalog
    self.contract = contract
  }

  private mutating func addDefaults() throws(DataError) {
    let plain = try line(named: "default")
    let bareMetal = try environment("bare-metal")
    for processor in catalog.processors.processors {
      try add(processor, bareMetal, .silent, plain)
    }
    for id in Self.keyProcessors {
      guard let processor = catalog.processors.processor(id: id) else { continue }
      // What cannot be run is there for those who ask for it.
      let statements = Self.statementProcessors.contains(id) ? Statement.allCases : [.silent]
      for environment in catalog.environments where environment.unsupported == nil {
        for statement in statements { try add(processor, environment, statement, plain) }
      }
    }
    let kvm = try environment("kvm-no-bhi-ctrl")
    for id in Self.commandLineProcessors {
      guard let processor = catalog.processors.processor(id: id) else { continue }
      for line in catalog.commandLines {
        try add(processor, bareMetal, .silent, line)
        try add(processor, kvm, .silent, line)
      }
    }
  }

  private mutating func addProduct(_ filter: MatrixFilter) throws(DataError) {
    var processors = catalog.processors.processors
    if !filter.processors.isEmpty {
      processors = []
      for id in filter.processors { processors.append(try processor(id)) }
    }
    var environments: [BootEnvironment] = []
    for id in filter.environments.isEmpty ? ["bare-metal"] : filter.environments {
      environments.append(try environment(id))
    }
    var lines: [CommandLine] = []
    for name in filter.commandLineNames { lines.append(try line(named: name)) }
    lines += filter.literalCommandLines.map { catalog.commandLine(writtenAs: $0) }
    if lines.isEmpty { lines = [try line(named: "default")] }
    let statements = filter.statements.isEmpty ? [.silent] : filter.statements
    for processor in processors {
      for environment in environments {
        for statement in statements {
          for line in lines { try add(processor, environment, statement, line) }
        }
      }
    }
  }

  /// Adds a row, unless it is there, or makes no sense: the environment is for other processors, or
  /// the hypervisor cannot make this statement.
  private mutating func add(
    _ processor: Processor, _ environment: BootEnvironment, _ statement: Statement,
    _ line: CommandLine
  ) throws(DataError) {
    guard environment.applies(to: processor) else { return }
    let path = BootPath(
      cpu: processor.id, environment: environment.id, statement: statement,
      commandLineName: line.name, commandLine: line.line)
    guard !ids.contains(path.id) else { return }
    var seen = try environment.apply(to: processor, catalog: catalog.processors)
    if let contract {
      guard contract.allows(statement, on: seen, in: environment) else { return }
      seen = contract.state(statement, on: seen, in: environment)
    } else if statement != .silent {
      return
    }
    append(Row(path: path, processor: seen, environment: environment, commandLine: line))
  }

  private mutating func append(_ row: Row) {
    if ids.insert(row.path.id).inserted { rows.append(row) }
  }

  private func processor(_ id: String) throws(DataError) -> Processor {
    guard let found = catalog.processors.processor(id: id) else { throw unknown("processor", id) }
    return found
  }

  private func environment(_ id: String) throws(DataError) -> BootEnvironment {
    guard let found = catalog.environment(id: id) else { throw unknown("environment", id) }
    return found
  }

  private func line(named name: String) throws(DataError) -> CommandLine {
    guard let found = catalog.commandLine(name: name) else { throw unknown("command line", name) }
    return found
  }

  private func unknown(_ what: String, _ id: String) -> DataError {
    DataError(.unknownName, file: "matrix", message: "no \(what) \(id)")
  }
}
