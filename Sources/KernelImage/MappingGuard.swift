#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif
import Synchronization

/// Keeps the process alive when a mapped file loses bytes that were not read yet.
///
/// A file that somebody cuts off, or whose disk fails, answers a read of its mapping with SIGBUS.
/// The handler puts a page of zeros there and notes it; whoever reads the mapping asks afterwards
/// whether all of it was the file's (`ImageBytes.requireUnchanged`). Signals belong to the whole
/// process, and so does this. A SIGBUS anywhere else ends the process as it would without.
enum MappingGuard {
  /// A mapping that is watched.
  struct Watch: Sendable {
    fileprivate let slot: Int
  }

  /// More mappings than this at a time are not watched, and so are not made.
  static let capacity = 1024

  private struct Slot: ~Copyable {
    /// The first address; 0 where the slot is free. Written last, so that a handler sees a whole one.
    let base = Atomic<UInt>(0)
    let end = Atomic<UInt>(0)
    let wasTorn = Atomic<Bool>(false)
  }

  /// Lives as long as the process: a handler may look at it at any time.
  nonisolated(unsafe) private static let slots: UnsafeMutablePointer<Slot> = {
    let slots = UnsafeMutablePointer<Slot>.allocate(capacity: capacity)
    for index in 0..<capacity { (slots + index).initialize(to: Slot()) }
    return slots
  }()

  /// What SIGBUS did before.
  nonisolated(unsafe) private static let previous: UnsafeMutablePointer<sigaction> = {
    let previous = UnsafeMutablePointer<sigaction>.allocate(capacity: 1)
    previous.initialize(to: sigaction())
    return previous
  }()

  private static let registration = Mutex(())

  /// Whether the handler is there; installed once, after everything that it touches was made.
  private static let isInstalled: Bool = {
    _ = slots
    _ = previous
    var action = sigaction()
    action.__sigaction_handler.sa_sigaction = { signal, information, _ in
      if !MappingGuard.mend(information) { sigaction(signal, MappingGuard.previous, nil) }
    }
    // A fault within a handler of another signal is mended as well.
    action.sa_flags = SA_SIGINFO | SA_NODEFER
    return sigaction(SIGBUS, &action, previous) == 0
  }()

  /// Watches `count` bytes of a mapping; nil if too many are watched already.
  static func watch(_ base: UnsafeRawPointer, count: Int) -> Watch? {
    guard isInstalled else { return nil }
    return registration.withLock { _ in
      let free = (0..<capacity).first { slots[$0].base.load(ordering: .relaxed) == 0 }
      guard let free else { return nil }
      slots[free].wasTorn.store(false, ordering: .relaxed)
      slots[free].end.store(UInt(bitPattern: base) + UInt(count), ordering: .relaxed)
      slots[free].base.store(UInt(bitPattern: base), ordering: .releasing)
      return Watch(slot: free)
    }
  }

  /// Ends a watch; before the memory is unmapped.
  static func end(_ watch: Watch) { slots[watch.slot].base.store(0, ordering: .releasing) }

  /// Whether some page of it could not be read and was replaced.
  static func wasTorn(_ watch: Watch) -> Bool {
    slots[watch.slot].wasTorn.load(ordering: .acquiring)
  }

  /// Puts zeros where a watched mapping has none; false if the address is none of ours.
  ///
  /// Runs in a signal handler: it takes no lock and allocates nothing.
  private static func mend(_ information: UnsafeMutablePointer<siginfo_t>?) -> Bool {
    guard let address = information?.pointee._sifields._sigfault.si_addr else { return false }
    let place = UInt(bitPattern: address)
    for index in 0..<capacity {
      let base = slots[index].base.load(ordering: .acquiring)
      guard base != 0, base <= place, place < slots[index].end.load(ordering: .relaxed) else {
        continue
      }
      let size = 4096 as UInt
      guard let page = UnsafeMutableRawPointer(bitPattern: place & ~(size - 1)),
        mmap(page, Int(size), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)
          != MAP_FAILED
      else { return false }
      slots[index].wasTorn.store(true, ordering: .releasing)
      return true
    }
    return false
  }
}
