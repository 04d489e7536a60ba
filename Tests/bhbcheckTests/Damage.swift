import Foundation
import KernelImage

/// The same numbers on every machine (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", 2014).
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
    return value ^ value >> 31
  }
}

/// A file to damage.
struct Original {
  var name: String
  var bytes: [UInt8]
  /// Where damage is likeliest to matter, in bytes of the file: the headers, and each section, so
  /// that a small table is hit as often as megabytes of code.
  var parts: [Range<Int>]

  /// - Parameter bytes: of any file that holds a kernel.
  init(name: String, bytes: [UInt8]) throws {
    self.name = name
    self.bytes = bytes
    parts = [0..<min(4096, bytes.count)]
    guard bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46]) else { return }
    let contents = try bytes.withUnsafeBytes { raw throws(ImageError) in
      Artefact.Contents(try ImageBytes.copying(raw))
    }
    let member = Artefact.Member(name: name, contents: contents, layers: [])
    let kernel = try KernelImage(Artefact(path: name, kernel: member))
    parts += kernel.sections.filter { $0.hasBytes && $0.size > 0 }
      .map { $0.fileOffset..<$0.fileOffset + $0.size }
    // The code that decides.
    for symbol in ["cpu_select_mitigations", "bhi_select_mitigation", "clear_bhb_loop"] {
      guard let address = kernel.symbols.address(of: symbol),
        let end = kernel.symbols.end(of: address), end > address,
        let range = kernel.fileRange(at: address, count: Int(end - address))
      else { continue }
      parts.append(range)
    }
  }

  /// The file with the damage of `number`, and what was done to it in words.
  func damaged(_ number: Int) -> (bytes: [UInt8], what: String) {
    var random = SplitMix(state: UInt64(number) &* 0xd134_2543_de82_ef95 &+ 2026)
    var bytes = bytes
    let (place, length) = (place(&random), Int.random(in: 1...4096, using: &random))
    let end = min(bytes.count, place + length)
    switch Int.random(in: 0..<16, using: &random) {
    case 0..<7:
      let count = [1, 1, 2, 4, 16, 64, 1024].randomElement(using: &random) ?? 1
      var places: [Int] = []
      for _ in 0..<count {
        let place = self.place(&random)
        bytes[place] ^= UInt8.random(in: 1...255, using: &random)
        places.append(place)
      }
      return (bytes, "\(count) bytes changed, the first at \(places[0])")
    case 7..<10:
      let width = [2, 4, 8].randomElement(using: &random) ?? 4
      let value =
        [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, .max, UInt64(bytes.count), 1 << 40]
        .randomElement(using: &random) ?? 0
      let start = min(place / width * width, bytes.count - width)
      for index in 0..<width {
        bytes[start + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))
      }
      return (bytes, "\(width) bytes at \(start) are \(value)")
    case 10..<12:
      let kept =
        Bool.random(using: &random) ? place : Int.random(in: 0..<bytes.count, using: &random)
      return (Array(bytes[..<kept]), "cut off at \(kept)")
    case 12:
      bytes.removeSubrange(place..<end)
      return (bytes, "without \(place)..<\(end)")
    case 13:
      bytes.insert(contentsOf: bytes[place..<end], at: place)
      return (bytes, "\(place)..<\(end) twice")
    case 14:
      for index in place..<end { bytes[index] = 0 }
      return (bytes, "zeros in \(place)..<\(end)")
    default:
      for index in place..<end { bytes[index] = UInt8.random(in: 0...255, using: &random) }
      return (bytes, "noise in \(place)..<\(end)")
    }
  }

  /// Every second time anywhere, else in one of the parts.
  private func place(_ random: inout SplitMix) -> Int {
    let isAnywhere = Bool.random(using: &random)
    let part = isAnywhere ? bytes.indices : parts.randomElement(using: &random) ?? bytes.indices
    return Int.random(in: part, using: &random)
  }
}
