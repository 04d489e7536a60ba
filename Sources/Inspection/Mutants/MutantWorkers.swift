import BootMachine

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
    inParallel(count, jobs: jobs, { MutantWorker(program, watchesMemory: watchesMemory) }) {
      (worker: inout MutantWorker, index) in body(index, &worker)
    }.compactMap(\.self)
  }
}
