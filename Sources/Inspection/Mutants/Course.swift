import Alternatives

/// A boot's steps with the calls that they belong to.
struct Course {
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
