import Alternatives
import BootMachine
import KernelImage
import Mitigation

/// Code that was not run on any boot path and may change the choice all the same.
struct LateCode: Sendable {
  /// A place that may change it, with what leads there.
  struct Place: Sendable, Hashable {
    var writer: DecisionWriter
    /// The step that runs it; nil if none can.
    var step: LateStep?
    /// Why no step can; nil if one does.
    var reason: String?
  }

  /// In ascending order of address.
  private(set) var places: [Place] = []
  /// What to run, in the order of a boot.
  private(set) var steps: [LateStep] = []
  /// Why no boot path can be determined: something may change the choice, nothing shows who calls it,
  /// and what would show it cannot be read.
  private(set) var unreadable: String?

  /// Looks for it after boot paths ran: `program` knows what they executed.
  init(_ program: BootProgram, _ analysis: StaticAnalysis) throws(DecoderError) {
    let kernel = program.kernel
    guard !analysis.functions.isEmpty, let decision = program.decision else { return }
    let search = try CodeSearch(kernel)
    let coverage = program.coverage
    let writers = search.writers(
      DecisionWriters(
        kernel, functions: analysis.functions, sites: analysis.sites,
        capabilities: program.capabilitiesAddress))
    let candidates = writers.filter { !coverage.ran($0.address) }
    guard !candidates.isEmpty, !coverage.isEmpty else { return }
    let last = search.function(around: decision.function)
    let behind = last.map { search.instructions(of: $0, behindCallOf: decision.stop) } ?? []
    var climb = Climb(
      kernel: kernel, coverage: coverage, initCalls: InitCalls(kernel), last: last, behind: behind)
    for writer in candidates {
      switch climb.origin(of: writer, search) {
      case .ran: continue
      case .steps(let found):
        for step in found { places.append(Place(writer: writer, step: step, reason: nil)) }
      case .unknown(let reason):
        places.append(Place(writer: writer, step: nil, reason: reason))
      }
    }
    if climb.initCalls.areUnreadable, let place = places.first(where: { $0.step == nil }) {
      unreadable =
        "the table of init calls leads nowhere, and \(kernel.describe(place.writer.address)) was not run"
    }
    let found = Set(places.compactMap(\.step))
    let calls = climb.initCalls.addresses.compactMap { address in
      found.first {
        if case .initCall(_, address) = $0 { true } else { false }
      }
    }
    steps = found.filter { $0 == .restOfChain } + calls
  }
}

/// Follows callers up from a place to what a boot runs.
private struct Climb {
  enum Origin {
    /// A branch of code that ran on some path, and was not taken on any.
    case ran
    case steps([LateStep])
    case unknown(String)
  }

  let kernel: KernelImage
  let coverage: Coverage
  let initCalls: InitCalls
  /// The last function of the chain, and what of it runs behind the point where it was stopped.
  let last: Range<UInt64>?
  let behind: Set<UInt64>

  /// How many calls lie between a place and what is looked for, at most.
  private static let height = 8
  /// How many functions are climbed from at once, at most: each search goes through all the code with
  /// all of them. Where little ran, as in a damaged image, callers have no end.
  private static let width = 32

  init(
    kernel: KernelImage, coverage: Coverage, initCalls: InitCalls, last: Range<UInt64>?,
    behind: Set<UInt64>
  ) {
    self.kernel = kernel
    self.coverage = coverage
    self.initCalls = initCalls
    self.last = last
    self.behind = behind
  }

  mutating func origin(of writer: DecisionWriter, _ search: borrowing CodeSearch) -> Origin {
    guard let function = search.function(around: writer.address),
      kernel.section(containing: writer.address)?.isExecutable ?? true
    else { return .unknown("a pointer to it lies at \(kernel.describe(writer.address))") }
    var steps: [LateStep] = []
    var unknown: String?
    var explained = false
    func meet(_ address: UInt64, in function: Range<UInt64>) -> Bool {
      if function == last {
        if behind.contains(address) { steps.append(.restOfChain) } else { explained = true }
        return true
      }
      guard ranAsPartOfItsWhole(function) else { return false }
      explained = true
      return true
    }
    if meet(writer.address, in: function) { return steps.isEmpty ? .ran : .steps(steps) }
    var seen: Set<Range<UInt64>> = [function]
    var level = [function]
    for _ in 0..<Self.height where !level.isEmpty {
      var next: [Range<UInt64>] = []
      for function in level where initCalls.position(of: function.lowerBound) != nil {
        steps.append(
          .initCall(name: kernel.describe(function.lowerBound), address: function.lowerBound))
      }
      let uses = search.uses(of: level).filter { !isTraced($0.use) }
      for function in level
      where initCalls.position(of: function.lowerBound) == nil
        && !uses.contains(where: { $0.function == function })
      {
        unknown = "nothing in the image shows who calls \(kernel.describe(function.lowerBound))"
      }
      for (function, use) in uses {
        let place: UInt64
        switch use {
        case .branch(let from): place = from
        case .address(let at): place = at
        case .pointer(let at):
          if !isEarlyParameter(at) {
            unknown =
              "\(kernel.describe(function.lowerBound)) is called through a pointer at \(kernel.describe(at))"
          } else {
            explained = true
          }
          continue
        }
        guard let caller = search.function(around: place) else { continue }
        if case .address = use {
          // Where the address is handed on to, and when that is called, is not known.
          unknown = "\(kernel.describe(place)) hands out \(kernel.describe(function.lowerBound))"
        } else if !meet(place, in: caller), seen.insert(caller).inserted {
          next.append(caller)
        }
      }
      guard next.count <= Self.width else { return .unknown("too many calls lead to it") }
      level = next
    }
    if !steps.isEmpty { return .steps(Array(Set(steps))) }
    if let unknown { return .unknown(unknown) }
    return explained ? .ran : .unknown("too many calls lead to it")
  }

  /// Whether a function ran on some path, or the one that a compiler split it off from.
  private func ranAsPartOfItsWhole(_ function: Range<UInt64>) -> Bool {
    if coverage.ran(in: function) { return true }
    guard let name = kernel.symbols.nearest(to: function.lowerBound)?.name,
      name.contains(".")
    else { return false }
    let whole = String(name.prefix { $0 != "." })
    return kernel.symbols.addresses(of: whole).contains { coverage.ran($0) }
  }

  /// Whether a pointer only says where ftrace can hook in (include/asm-generic/vmlinux.lds.h,
  /// MCOUNT_REC); nothing is called through it.
  private func isTraced(_ use: CodeSearch.Use) -> Bool {
    guard case .pointer(let place) = use else { return false }
    return kernel.table(from: "__start_mcount_loc", to: "__stop_mcount_loc", orSection: nil)?
      .contains(place) ?? false
  }

  /// Whether a pointer belongs to an early parameter, which the chain parses: `struct
  /// obs_kernel_param` (include/linux/init.h), text, function, early.
  private func isEarlyParameter(_ place: UInt64) -> Bool {
    guard let table = kernel.table(from: "__setup_start", to: "__setup_end", orSection: nil),
      table.contains(place), let isEarly = kernel.read(UInt32.self, at: place &+ 8)
    else { return false }
    return isEarly != 0
  }
}
