import Dispatch
import Foundation
public import Mitigation
import Synchronization

/// Runs real boots of one kernel, several at once.
public struct BootRunner: Sendable {
  /// A boot to run.
  public struct Order: Sendable {
    public var scenario: BootScenario
    public var targets: BootTargets

    public init(scenario: BootScenario, targets: BootTargets) {
      self.scenario = scenario
      self.targets = targets
    }
  }

  public var qemu: QEMU
  public var tier: BootTier
  public var jobs: Int
  public var timeOut: Duration
  public var usesCache: Bool
  /// Leave each boot's files in this folder; nil: nowhere.
  public var keptIn: String?

  public init(
    qemu: QEMU, tier: BootTier = .full, jobs: Int = 1, timeOut: Duration = .seconds(90),
    usesCache: Bool = true, keptIn: String? = nil
  ) {
    self.qemu = qemu
    self.tier = tier
    self.jobs = max(1, jobs)
    self.timeOut = timeOut
    self.usesCache = usesCache
    self.keptIn = keptIn
  }

  /// What became of each order, in their order.
  ///
  /// - Parameters:
  ///   - kernel: the bytes of an uncompressed vmlinux.
  ///   - progress: is told of each boot when it is done, on any thread.
  /// - Throws: if the kernel cannot be written where QEMU finds it. What goes wrong in a boot is
  ///   in its result.
  public func run(
    _ orders: [Order], kernel: UnsafeRawBufferPointer,
    progress: @Sendable (_ index: Int, _ attempt: BootAttempt) -> Void = { _, _ in }
  ) throws(RealBootError) -> [BootAttempt] {
    guard !orders.isEmpty else { return [] }
    let cache = usesCache ? BootCache(kernel: kernel, qemu: qemu) : nil
    var results = orders.map { order in
      cache?.observation(order.scenario, order.targets, tier).map {
        BootAttempt.observed($0, fromCache: true)
      }
    }
    for (index, result) in results.enumerated() {
      if let result { progress(index, result) }
    }
    let missing = results.indices.filter { results[$0] == nil }
    guard !missing.isEmpty else { return results.compactMap(\.self) }
    let scratch = try ScratchFolder.made(keptIn: keptIn)
    let file = "\(scratch.path)/vmlinux"
    try write(kernel, to: file)
    let driver = BootDriver(qemu: qemu, kernel: file, tier: tier, timeOut: timeOut)
    let path = scratch.path
    let next = Atomic(0)
    let found = Mutex([Int: BootAttempt]())
    DispatchQueue.concurrentPerform(iterations: min(jobs, missing.count)) { _ in
      while true {
        let position = next.add(1, ordering: .relaxed).oldValue
        guard position < missing.count else { return }
        let index = missing[position]
        let attempt = attempt(orders[index], driver, "\(path)/\(index + 1)")
        if case .observed(let observation, _) = attempt {
          cache?.keep(observation, orders[index].scenario, orders[index].targets)
        }
        progress(index, attempt)
        found.withLock { $0[index] = attempt }
      }
    }
    for (index, attempt) in found.withLock({ $0 }) { results[index] = attempt }
    return results.map { $0 ?? .failed("it was not run") }
  }

  /// One boot; a second one if the first took too long, for a busy machine is no fault of a kernel.
  private func attempt(_ order: Order, _ driver: BootDriver, _ folder: String) -> BootAttempt {
    var failure = ""
    for _ in 1...2 {
      do throws(RealBootError) {
        try? FileManager.default.createDirectory(
          atPath: folder, withIntermediateDirectories: true)
        return .observed(
          try driver.observe(order.scenario, order.targets, in: folder), fromCache: false)
      } catch {
        failure = error.message
        guard error.code == .timeOut else { break }
      }
    }
    return .failed(failure)
  }

  private func write(
    _ bytes: UnsafeRawBufferPointer, to file: String
  ) throws(RealBootError) {
    do {
      try Data(bytes).write(to: URL(filePath: file))
    } catch {
      throw RealBootError(.system, "\(file): \(error.localizedDescription)")
    }
  }
}

/// A folder for the files of boots; it goes with its owner unless somebody wants them.
struct ScratchFolder: ~Copyable {
  let path: String
  private let isKept: Bool

  private init(path: String, isKept: Bool) {
    self.path = path
    self.isKept = isKept
  }

  static func made(keptIn folder: String?) throws(RealBootError) -> ScratchFolder {
    // Short, because the name of a socket in it must not be longer than 107 bytes.
    let path =
      folder
      ?? FileManager.default.temporaryDirectory
      .appending(component: "bhbcheck-\(UInt64.random(in: 0...UInt64.max))").path()
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw RealBootError(.system, "\(path): \(error.localizedDescription)")
    }
    return ScratchFolder(path: path, isKept: folder != nil)
  }

  deinit {
    if !isKept { try? FileManager.default.removeItem(atPath: path) }
  }
}
