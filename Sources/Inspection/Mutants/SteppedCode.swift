import Alternatives
import BootMachine

/// The instructions of boots, each decoded once, by small numbers.
struct SteppedCode {
  struct Entry {
    var address: UInt64
    var end: UInt64
    var kind: Instruction.Kind
    var use: RegisterUse
    /// The bits of memory that it reads, counted from the operand on, where the code says so.
    var readBits: UInt64?
    /// Whether each bit of memory that it stores depends on no other bit of memory than itself.
    var isBitwise: Bool
  }

  private(set) var entries: [Entry] = []
  private var numbers: [UInt64: Int] = [:]

  /// The number of each step's instruction; what cannot be decoded is one byte that does nothing.
  mutating func numbers(
    of steps: BootSteps, _ program: BootProgram, _ decoder: borrowing Decoder
  ) -> [Int] {
    var result: [Int] = []
    result.reserveCapacity(steps.addresses.count)
    for address in steps.addresses {
      if let number = numbers[address] {
        result.append(number)
        continue
      }
      // The longest instruction there is.
      let entry = program.code(at: address, count: 15).withUnsafeBytes { code -> Entry? in
        guard let instruction = decoder.one(code, at: address) else { return nil }
        return Entry(instruction, code, decoder.registers(of: code, at: address))
      }
      numbers[address] = entries.count
      result.append(entries.count)
      entries.append(
        entry
          ?? Entry(
            address: address, end: address, kind: .undecodable, use: RegisterUse(),
            isBitwise: false))
    }
    return result
  }
}

extension SteppedCode.Entry {
  init(_ instruction: Instruction, _ code: UnsafeRawBufferPointer, _ use: RegisterUse?) {
    self.init(
      address: instruction.address, end: instruction.end, kind: instruction.kind,
      use: use ?? RegisterUse(), isBitwise: false)
    guard let encoding = InstructionEncoding(Array(code.prefix(instruction.length))),
      let value = instruction.immediate, case .memory(let memory)? = instruction.destination
    else { return }
    let bits = UInt64(bitPattern: value)
    switch encoding.immediateFamily {
    case .test: readBits = bits
    case .bitTest where memory.size <= 8: readBits = 1 << (bits & UInt64(8 * memory.size - 1))
    case .or, .and, .bitSet: isBitwise = true
    default: break
    }
  }
}

/// How control went through one function, in all its calls on all paths together.
struct FunctionGraph {
  /// The one that stands behind every return.
  static let exit = -1

  private var successors: [Int: Set<Int>] = [:]

  mutating func add(from: Int, to: Int) { successors[from, default: []].insert(to) }

  /// For each instruction that was left in more ways than one, the first one that all of them come
  /// back to: its immediate postdominator (Cooper, Harvey and Kennedy, "A Simple, Fast Dominance
  /// Algorithm", on the reversed graph).
  func joins() -> [Int: Int] {
    var predecessors: [Int: [Int]] = [:]
    for (from, targets) in successors {
      for target in targets { predecessors[target, default: []].append(from) }
    }
    let order = Self.postorder(from: Self.exit, predecessors)
    var rank: [Int: Int] = [:]
    for (index, node) in order.enumerated() { rank[node] = index }
    var join: [Int: Int] = [Self.exit: Self.exit]
    func common(_ left: Int, _ right: Int) -> Int {
      var (left, right) = (left, right)
      while left != right {
        while (rank[left] ?? 0) < (rank[right] ?? 0) { left = join[left] ?? Self.exit }
        while (rank[right] ?? 0) < (rank[left] ?? 0) { right = join[right] ?? Self.exit }
      }
      return left
    }
    var isChanging = true
    while isChanging {
      isChanging = false
      for node in order.reversed() where node != Self.exit {
        var new: Int?
        for next in successors[node] ?? [] where join[next] != nil {
          new = new.map { common($0, next) } ?? next
        }
        if let new, join[node] != new {
          join[node] = new
          isChanging = true
        }
      }
    }
    return join.filter { node, _ in (successors[node]?.count ?? 0) > 1 }
  }

  private static func postorder(from root: Int, _ next: [Int: [Int]]) -> [Int] {
    var order: [Int] = []
    var seen: Set<Int> = [root]
    var pending: [(node: Int, done: Int)] = [(root, 0)]
    while let (node, done) = pending.last {
      let targets = next[node] ?? []
      guard done < targets.count else {
        order.append(node)
        pending.removeLast()
        continue
      }
      pending[pending.count - 1].done += 1
      if seen.insert(targets[done]).inserted { pending.append((targets[done], 0)) }
    }
    return order
  }
}
