import Alternatives
import BootMachine

/// What of the code that ran the choice was made by: a dynamic backward slice.
///
/// Each boot is followed from its end to its beginning. What the choice is read from is wanted
/// there: the bytes of the features that sites hang on, what the function behind the sysfs line
/// reads, the writes of SPEC_CTRL. An instruction belongs to the decision if it wrote something
/// wanted, or if it is the branch or the call that led there; then what it read is wanted too.
struct DecisionSlice {
  /// The instructions of the decision.
  private(set) var addresses: Set<UInt64> = []
  /// The entries of the functions that hold them, as they were called.
  private(set) var functions: Set<UInt64> = []

  private var code = SteppedCode()
  private var joins: [Int: [Int: Int]] = [:]

  /// The bits of memory that the choice is read from at the end, by the address of their byte.
  private(set) var choice: [UInt64: UInt8]

  /// - Parameter decided: the bits that the choice is read from beside those that sysfs shows.
  init(
    _ boots: [BootSteps], decided: [UInt64: UInt8], _ program: BootProgram,
    _ decoder: borrowing Decoder
  ) {
    choice = decided
    let courses = boots.map { Course(code.numbers(of: $0, program, decoder), code) }
    var graphs: [Int: FunctionGraph] = [:]
    for course in courses { course.add(to: &graphs) }
    joins = graphs.mapValues { $0.joins() }
    for (boot, course) in zip(boots, courses) { follow(boot, course, decided) }
  }

  private mutating func follow(_ boot: BootSteps, _ course: Course, _ decided: [UInt64: UInt8]) {
    let controllers = course.controllers(joins)
    var wanted = Wanted(bits: decided)
    var isNeeded = [Bool](repeating: false, count: course.numbers.count)
    for step in boot.decisive { isNeeded[step] = true }
    // A stub stands where a call is directed: its arguments matter, which it does not read.
    var isDecisive = Set(boot.decisive)
    var rest = boot.accesses[...]
    for step in course.numbers.indices.reversed() {
      let entry = code.entries[course.numbers[step]]
      var first = rest.endIndex
      while first > rest.startIndex, rest[first - 1].step >= step { first -= 1 }
      let accesses = rest[first...]
      rest = rest[..<first]
      guard step < boot.bootCount else {
        wanted.show(accesses, entry)
        if step == boot.bootCount { choice.merge(wanted.bits) { $0 | $1 } }
        continue
      }
      guard isNeeded[step] || wanted.isMade(by: entry, accesses) else { continue }
      wanted.make(by: entry, accesses)
      if isDecisive.remove(step) != nil { wanted.registers |= Wanted.arguments }
      if controllers[step] >= 0 { isNeeded[controllers[step]] = true }
      addresses.insert(entry.address)
      functions.insert(code.entries[course.entries[course.frames[step]]].address)
    }
  }
}

/// What is wanted at a point of a boot.
private struct Wanted {
  /// The bits of memory, by the address of their byte.
  var bits: [UInt64: UInt8]
  var registers: UInt32 = 0

  /// RDX, RSI, RDI: the first three arguments of a function.
  static let arguments: UInt32 = 1 << 2 | 1 << 6 | 1 << 7
  /// Everything depends on RSP, which says nothing.
  private static let stackPointer: UInt32 = 1 << 4

  init(bits: [UInt64: UInt8]) { self.bits = bits }

  func isMade(by entry: SteppedCode.Entry, _ accesses: ArraySlice<MemoryAccess>) -> Bool {
    if entry.use.writes & registers != 0 { return true }
    return accesses.contains { access in
      access.isWrite
        && access.bytes(of: access.changed).contains { (bits[$0.address] ?? 0) & $0.bits != 0 }
    }
  }

  mutating func make(by entry: SteppedCode.Entry, _ accesses: ArraySlice<MemoryAccess>) {
    registers &= ~entry.use.replaces
    registers |= entry.use.reads & ~Self.stackPointer
    for access in accesses where access.isWrite {
      // What a store leaves as it was, but might not have, stays wanted where it was made before.
      for (address, changed) in access.bytes(of: access.changed) {
        guard let left = bits[address] else { continue }
        bits[address] = left & ~changed == 0 ? nil : left & ~changed
      }
    }
    if !entry.isBitwise { read(accesses, entry) }
  }

  /// The function that shows the choice reads memory; what it writes itself is none of the boot's.
  mutating func show(_ accesses: ArraySlice<MemoryAccess>, _ entry: SteppedCode.Entry) {
    for access in accesses where access.isWrite {
      for (address, _) in access.bytes(of: .max) { bits[address] = nil }
    }
    read(accesses, entry)
  }

  private mutating func read(_ accesses: ArraySlice<MemoryAccess>, _ entry: SteppedCode.Entry) {
    for access in accesses where !access.isWrite {
      for (address, mask) in access.bytes(of: entry.readBits ?? .max) {
        bits[address, default: 0] |= mask
      }
    }
  }
}

extension MemoryAccess {
  /// The bytes in which `mask`, counted from the address on, has a bit.
  fileprivate func bytes(of mask: UInt64) -> [(address: UInt64, bits: UInt8)] {
    (0..<size).compactMap { byte in
      // Longer stores are not looked into.
      let bits = byte < 8 && size <= 8 ? UInt8(truncatingIfNeeded: mask >> UInt64(8 * byte)) : 0xFF
      return bits == 0 ? nil : (address &+ UInt64(byte), bits)
    }
  }
}

/// A boot's steps with the calls that they belong to.
private struct Course {
  /// The number of each step's instruction.
  let numbers: [Int]
  /// The call that each step belongs to.
  private(set) var frames: [Int] = []
  /// The number of the instruction that each call begins with, and the step that called.
  private(set) var entries: [Int] = []
  private(set) var callers: [Int] = []

  init(_ numbers: [Int], _ code: SteppedCode) {
    self.numbers = numbers
    frames.reserveCapacity(numbers.count)
    var stack: [Int] = []
    for step in numbers.indices {
      if step > 0 {
        let last = code.entries[numbers[step - 1]]
        switch last.kind {
        case .call where code.entries[numbers[step]].address != last.end:
          stack.append(entries.count)
          entries.append(numbers[step])
          callers.append(step - 1)
        case .ret: _ = stack.popLast()
        default: break
        }
      }
      // The machine itself calls the functions that the boot begins with.
      if stack.isEmpty {
        stack.append(entries.count)
        entries.append(numbers[step])
        callers.append(-1)
      }
      frames.append(stack[stack.count - 1])
    }
  }

  /// Adds how control went within each function.
  func add(to graphs: inout [Int: FunctionGraph]) {
    var last = [Int](repeating: -1, count: entries.count)
    for (step, frame) in frames.enumerated() {
      if last[frame] >= 0 {
        graphs[entries[frame], default: FunctionGraph()].add(from: last[frame], to: numbers[step])
      }
      last[frame] = numbers[step]
    }
    for (frame, number) in last.enumerated() where number >= 0 {
      graphs[entries[frame], default: FunctionGraph()].add(from: number, to: FunctionGraph.exit)
    }
  }

  /// For each step the one that it would not have been taken without: the last branch before it
  /// whose ways have not come together again (Xin and Zhang, "Efficient Online Detection of Dynamic
  /// Control Dependence"), else the call; -1 if there is none.
  func controllers(_ joins: [Int: [Int: Int]]) -> [Int] {
    var open = [[(step: Int, join: Int)]](repeating: [], count: entries.count)
    var result: [Int] = []
    result.reserveCapacity(numbers.count)
    for (step, frame) in frames.enumerated() {
      let number = numbers[step]
      while let top = open[frame].last, top.join == number { open[frame].removeLast() }
      result.append(open[frame].last?.step ?? callers[frame])
      guard let join = joins[entries[frame]]?[number] else { continue }
      if open[frame].last?.join == join { open[frame].removeLast() }
      open[frame].append((step, join))
    }
    return result
  }
}
