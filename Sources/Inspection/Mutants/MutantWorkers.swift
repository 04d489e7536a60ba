import BootMachine
import Dispatch
import Synchronization

/// One thread's machine.
struct MutantWorker: ~Copyable {
  private var machine: BootMachine?

  init(_ program: BootProgram, watchesMemory: Bool) {
    machine = try? BootMachine(program, watchesMemory: watchesMemory)
  }

  /// Nil if there is no machine, or the path cannot be begun.
  mutating func run(_ request: BootRequest) -> BootResult? {
    (try? machine?.run(request)) ?? nil
  }

  /// What `body` makes of each index, each on the machine of the thread that took it.
  static func map<Value: Sendable>(
    _ count: Int, of program: BootProgram, jobs: Int, watchesMemory: Bool = false,
    _ body: @Sendable (Int, inout MutantWorker) -> Value
  ) -> [Value] {
    let next = Atomic(0)
    let values = Mutex([Value?](repeating: nil, count: count))
    DispatchQueue.concurrentPerform(iterations: max(1, min(jobs, count))) { _ in
      var worker = MutantWorker(program, watchesMemory: watchesMemory)
      while true {
        let index = next.add(1, ordering: .relaxed).oldValue
        guard index < count else { return }
        let value = body(index, &worker)
        values.withLock { $0[index] = value }
      }
    }
    return values.withLock { $0.compactMap(\.self) }
  }
}
