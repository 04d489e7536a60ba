/// The addresses at which the machine steps in, sorted, so that one callback finds its own.
struct HookTable: Sendable {
  enum Kind: Sendable {
    case readMSR
    case writeMSR
    case print
    case printWarning
    case panic
    case staticCallUpdate
  }

  struct Point: Sendable {
    var address: UInt64
    var kind: Kind
    /// The instruction's length, for MSR accesses.
    var length: Int
    /// Where the kernel goes on after a fault, for MSR accesses.
    var fixup: UInt64
  }

  let points: [Point]

  init(_ plan: BootPlan) {
    var points = plan.msrSites.map {
      Point(
        address: $0.address, kind: $0.isRead ? .readMSR : .writeMSR, length: $0.length,
        fixup: $0.fixup)
    }
    func add(_ addresses: [UInt64], _ kind: Kind) {
      points += addresses.map { Point(address: $0, kind: kind, length: 0, fixup: 0) }
    }
    add(plan.printk, .print)
    add(plan.warningPrinters, .printWarning)
    add(plan.panics.map(\.address), .panic)
    add(plan.staticCallUpdate.map { [$0] } ?? [], .staticCallUpdate)
    points.sort { $0.address < $1.address }
    self.points = points
  }

  @inline(__always)
  func index(of address: UInt64) -> Int? {
    var low = 0
    var high = points.count
    while low < high {
      let middle = (low + high) / 2
      if points[middle].address < address { low = middle + 1 } else { high = middle }
    }
    return low < points.count && points[low].address == address ? low : nil
  }
}
