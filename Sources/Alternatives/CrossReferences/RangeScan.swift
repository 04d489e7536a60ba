/// Finds what may be references to a few ranges of addresses in machine code, in one pass.
///
/// As `ReferenceScan`, but for whole ranges, and for displacements with up to four bytes of an
/// immediate behind them: the processor counts from the end of the instruction.
struct RangeScan {
  struct Hit {
    /// Where the 32 bits lie, as an offset in the bytes.
    var offset: Int
    /// Whether they may be an address themselves; else they may be a displacement.
    var isAbsolute: Bool
  }

  var hits: [Hit] = []

  /// The most bytes of an immediate behind a displacement (Intel SDM vol. 2A, 2.2.1.6).
  private static let longestImmediate: UInt64 = 4

  init(_ bytes: UnsafeRawBufferPointer, at address: UInt64, ranges: [Range<UInt64>]) {
    // A displacement at offset o holds target - (address + o + 4 + immediate).
    func window(_ range: Range<UInt64>) -> Window {
      let start = range.lowerBound &- address &- 4 &- Self.longestImmediate
      return Window(
        relative: UInt32(truncatingIfNeeded: start),
        relativeSpan: UInt32(clamping: UInt64(range.count) + Self.longestImmediate),
        absolute: UInt32(truncatingIfNeeded: range.lowerBound), span: UInt32(clamping: range.count))
    }
    let windows = ranges.map(window)
    // Ranges that lie near each other are looked for as one, and told apart where it matches.
    let hulls = Self.hulls(ranges).map(window)
    let one = SIMD4<UInt32>(repeating: 1)
    var offset = 0
    var position = SIMD4<UInt32>(0, 4, 8, 12)
    // Lanes lie four bytes apart; four loads, one byte apart, cover all sixteen offsets.
    while offset + 19 <= bytes.count {
      let a = bytes.loadUnaligned(fromByteOffset: offset, as: SIMD4<UInt32>.self)
      let b = bytes.loadUnaligned(fromByteOffset: offset + 1, as: SIMD4<UInt32>.self)
      let c = bytes.loadUnaligned(fromByteOffset: offset + 2, as: SIMD4<UInt32>.self)
      let d = bytes.loadUnaligned(fromByteOffset: offset + 3, as: SIMD4<UInt32>.self)
      let second = position &+ one
      let third = second &+ one
      let fourth = third &+ one
      for hull in hulls {
        let start = SIMD4(repeating: hull.relative)
        let span = SIMD4(repeating: hull.relativeSpan)
        let low = SIMD4(repeating: hull.absolute)
        let size = SIMD4(repeating: hull.span)
        let relative =
          (a &+ position &- start .< span) .| (b &+ second &- start .< span)
          .| (c &+ third &- start .< span) .| (d &+ fourth &- start .< span)
        let absolute =
          (a &- low .< size) .| (b &- low .< size) .| (c &- low .< size) .| (d &- low .< size)
        if any(relative .| absolute) {
          for place in offset..<(offset + 16) {
            for window in windows { check(bytes, place, window) }
          }
          break
        }
      }
      position = position &+ SIMD4(repeating: 16)
      offset += 16
    }
    while offset + 4 <= bytes.count {
      for window in windows { check(bytes, offset, window) }
      offset += 1
    }
  }

  private struct Window {
    var relative: UInt32
    var relativeSpan: UInt32
    var absolute: UInt32
    var span: UInt32
  }

  /// Ranges that cover all of `ranges`, with gaps of a few pages at most in each.
  private static func hulls(_ ranges: [Range<UInt64>]) -> [Range<UInt64>] {
    let gap: UInt64 = 0x4000
    var hulls: [Range<UInt64>] = []
    for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = hulls.last, range.lowerBound < last.upperBound &+ gap {
        hulls[hulls.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
      } else {
        hulls.append(range)
      }
    }
    return hulls
  }

  private mutating func check(_ bytes: UnsafeRawBufferPointer, _ offset: Int, _ window: Window) {
    let value = bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
    if value &+ UInt32(truncatingIfNeeded: offset) &- window.relative < window.relativeSpan {
      hits.append(Hit(offset: offset, isAbsolute: false))
    }
    if value &- window.absolute < window.span {
      hits.append(Hit(offset: offset, isAbsolute: true))
    }
  }
}
