internal import Glibc

/// The code of an image that ran on any boot path, of all machines that are done.
public struct Coverage: Sendable, Hashable {
  /// Disjoint, in ascending order.
  private let ranges: [Range<UInt64>]

  init(_ blocks: some Sequence<BlockRun>) {
    var merged: [Range<UInt64>] = []
    for block in blocks.sorted(by: { $0.address < $1.address }) {
      let (end, overflow) = block.address.addingReportingOverflow(UInt64(block.size))
      guard !overflow, end > block.address else { continue }
      if let last = merged.last, block.address <= last.upperBound {
        merged[merged.count - 1] = last.lowerBound..<max(last.upperBound, end)
      } else {
        merged.append(block.address..<end)
      }
    }
    ranges = merged
  }

  public var isEmpty: Bool { ranges.isEmpty }

  /// Whether the instruction at `address` ran.
  public func ran(_ address: UInt64) -> Bool {
    first(endingAfter: address).map { $0.lowerBound <= address } ?? false
  }

  /// Whether anything in `range` ran.
  public func ran(in range: Range<UInt64>) -> Bool {
    first(endingAfter: range.lowerBound).map { $0.lowerBound < range.upperBound } ?? false
  }

  private func first(endingAfter address: UInt64) -> Range<UInt64>? {
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound <= address { low = middle + 1 } else { high = middle }
    }
    return low < ranges.count ? ranges[low] : nil
  }
}

/// The basic blocks that one machine has ever run: a bit for each byte of the image, and a list.
struct SeenBlocks: ~Copyable {
  let start: UInt64
  let count: UInt64
  let bits: UnsafeMutableRawPointer
  private(set) var blocks: [BlockRun] = []

  init(_ area: AddressMap.Area) throws(MachineError) {
    // Pages that no code of the image is behind are never touched, so they take no memory.
    guard let bits = calloc(area.size / 8 + 1, 1) else {
      throw MachineError("no memory for \(area.size / 8) bytes of coverage")
    }
    start = area.guest
    count = UInt64(area.size)
    self.bits = bits
  }

  deinit { free(bits) }

  /// Notes that a block of the image ran.
  mutating func insert(_ block: BlockRun) {
    let offset = block.address &- start
    guard offset < count else { return }
    let byte = Int(offset >> 3)
    let known = bits.load(fromByteOffset: byte, as: UInt8.self)
    bits.storeBytes(of: known | 1 << UInt8(offset & 7), toByteOffset: byte, as: UInt8.self)
    blocks.append(block)
  }
}
