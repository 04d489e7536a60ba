import Dispatch
import Synchronization

/// What `body` makes of each index below `count`, in order, on up to `jobs` threads; nil from where on
/// `wanted` was false.
///
/// Each thread makes a worker of its own and keeps it to the end: an emulator belongs to the thread
/// that made it, and must not block the cooperative pool.
func inParallel<Worker: ~Copyable, Value: Sendable>(
  _ count: Int, jobs: Int, _ make: @Sendable () -> Worker,
  while wanted: @Sendable () -> Bool = { true }, body: @Sendable (inout Worker, Int) -> Value
) -> [Value?] {
  guard count > 0 else { return [] }
  let next = Atomic(0)
  let results = Mutex([Value?](repeating: nil, count: count))
  let workers = max(1, min(jobs, count))
  @Sendable func work() {
    var worker = make()
    while wanted() {
      let index = next.add(1, ordering: .relaxed).oldValue
      guard index < count else { return }
      let value = body(&worker, index)
      results.withLock { $0[index] = value }
    }
  }
  if workers == 1 {
    work()
  } else {
    DispatchQueue.concurrentPerform(iterations: workers) { _ in work() }
  }
  return results.withLock { $0 }
}
