import Alternatives
import BootMachine

/// What of the code that ran the choice was made by: a dynamic backward slice.
///
/// Each boot is followed from its end to its beginning. What the choice is read from is wanted
/// there: the bits of the features that sites hang on, those that the function behind the sysfs line
/// reads, the writes of SPEC_CTRL. An instruction belongs to the decision if it made something
/// wanted, or if it is the branch or the call that led there; then what it read is wanted too.
struct DecisionSlice {
  /// The instructions of the decision.
  private(set) var addresses: Set<UInt64> = []
  /// The entries of the functions that hold them, as they were called.
  private(set) var functions: Set<UInt64> = []

  private let boots: [BootSteps]
  private let courses: [Course]
  private var code = SteppedCode()
  /// The addresses of the static calls' keys that matter.
  private let keys: Set<UInt64>

  init(_ boots: [BootSteps], _ program: BootProgram, _ decoder: borrowing Decoder) {
    self.boots = boots
    keys = program.decidedCalls
    var code = SteppedCode()
    courses = boots.map { Course(code.numbers(of: $0, program, decoder), code) }
    self.code = code
  }

  /// The bits of memory that the function behind the sysfs line reads, by the address of
  /// their byte.
  var shown: [UInt64: UInt8] {
    zip(boots, courses).reduce(into: [:]) { found, pair in
      found.merge(shown(pair.0, pair.1).bits) { $0 | $1 }
    }
  }

  /// The bytes of memory that boot code changed.
  var made: Set<UInt64> {
    boots.reduce(into: []) { found, boot in
      for access in boot.accesses where access.isWrite && access.step < boot.bootCount {
        found.formUnion(access.bytes(of: access.changed).map(\.address))
      }
    }
  }

  private func shown(_ boot: BootSteps, _ course: Course) -> Wanted {
    var wanted = Wanted(bits: [:])
    var accesses = BackwardAccesses(boot.accesses)
    for step in (boot.bootCount..<max(boot.bootCount, course.numbers.count)).reversed() {
      wanted.show(accesses.of(step), code.entries[course.numbers[step]])
    }
    return wanted
  }

  /// Follows every boot.
  ///
  /// - Parameters:
  ///   - decided: the bits of memory that the choice is read from without being shown.
  ///   - shown: those of `shown` on which the line depends.
  mutating func follow(decided: [UInt64: UInt8], shown: [UInt64: UInt8]) {
    var graphs: [Int: FunctionGraph] = [:]
    for course in courses { course.add(to: &graphs) }
    let joins = graphs.mapValues { $0.joins() }
    for (boot, course) in zip(boots, courses) {
      var wanted = Wanted(bits: decided)
      for (address, bits) in self.shown(boot, course).bits {
        let bits = bits & (shown[address] ?? 0)
        if bits != 0 { wanted.bits[address, default: 0] |= bits }
      }
      follow(boot, course, course.controllers(joins), wanted)
    }
  }

  private mutating func follow(
    _ boot: BootSteps, _ course: Course, _ controllers: [Int], _ atEnd: Wanted
  ) {
    var wanted = atEnd
    var isNeeded = [Bool](repeating: false, count: course.numbers.count)
    // A stub stands where a call is directed: its arguments matter, which it does not read.
    let directing = Set(boot.staticCalls.filter { keys.contains($0.key) }.map(\.step))
    for step in directing { isNeeded[step] = true }
    for step in boot.controlWrites { isNeeded[step] = true }
    var accesses = BackwardAccesses(boot.accesses)
    for step in (0..<min(boot.bootCount, course.numbers.count)).reversed() {
      let entry = code.entries[course.numbers[step]]
      let accesses = accesses.of(step)
      guard isNeeded[step] || wanted.isMade(by: entry, accesses) else { continue }
      wanted.make(by: entry, accesses)
      if directing.contains(step) { wanted.registers |= Wanted.arguments }
      if controllers[step] >= 0 { isNeeded[controllers[step]] = true }
      addresses.insert(entry.address)
      functions.insert(code.entries[course.entries[course.frames[step]]].address)
    }
  }
}

/// Loads and stores by their steps, from the last one to the first.
private struct BackwardAccesses {
  private var rest: ArraySlice<MemoryAccess>

  init(_ accesses: [MemoryAccess]) { rest = accesses[...] }

  /// Those of a step; those of later steps are left out.
  mutating func of(_ step: Int) -> ArraySlice<MemoryAccess> {
    while let last = rest.last, last.step > step { rest.removeLast() }
    var first = rest.endIndex
    while first > rest.startIndex, rest[first - 1].step == step { first -= 1 }
    defer { rest = rest[..<first] }
    return rest[first...]
  }
}
