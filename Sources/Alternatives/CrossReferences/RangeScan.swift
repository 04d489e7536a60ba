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
    let windows = ranges.map { range in
      let start = range.lowerBound &- address &- 4 &- Self.longestImmediate
      return Window(
        relative: UInt32(truncatingIfNeeded: start),
        relativeSpan: UInt32(clamping: UInt64(range.count) + Self.longestImmediate),
        absolute: UInt32(truncatingIfNeeded: range.lowerBound), span: UInt32(clamping: range.count))
    }
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
      for window in windows {
        let start = SIMD4(repeating: window.relative)
        let span = SIMD4(repeating: window.relativeSpan)
        let low = SIMD4(repeating: window.absolute)
        let size = SIMD4(repeating: window.span)
        let relative =
          (a &+ position &- start .< span) .| (b &+ second &- start .< span)
          .| (c &+ third &- start .< span) .| (d &+ fourth &- start .< span)
        let absolute =
          (a &- low .< size) .| (b &- low .< size) .| (c &- low .< size) .| (d &- low .< size)
        if any(relative .| absolute) {
          for place in offset..<(offset + 16) { check(bytes, place, window) }
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
