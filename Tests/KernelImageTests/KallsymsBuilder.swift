/// Writes the tables of kallsyms as the kernel's build does, in each of their forms.
struct KallsymsBuilder {
  enum Form: CaseIterable {
    case baseBeforeNames, perCPUBeforeNames, absoluteBeforeNames
    case baseBehindTokens, perCPUBehindTokens, ownPlace
  }

  /// Letter, name and address, in ascending order of address.
  var symbols: [(letter: Character, name: String, address: UInt64)]
  var form: Form
  /// The address that the tables are loaded at.
  var address: UInt64
  var hasSequenceNumbers = true
  /// Pieces of text that get a token of their own.
  var pieces = ["cpu_", "_show", "Tsym", "tsym", "ab", "_0"]
  /// The tables' distance from the base of relative addresses.
  var base: UInt64 { symbols.first { $0.address >> 63 == 1 }?.address ?? 0 }

  private var tokens: [[UInt8]] {
    var tokens = (0..<256).map { code -> [UInt8] in
      let isUsed = code == 0x5F || code == 0x2E || code == 0x24
      let character = Character(UnicodeScalar(UInt8(code)))
      return isUsed || character.isASCII && (character.isLetter || character.isNumber)
        ? [UInt8(code)] : []
    }
    for (code, piece) in zip(0x80..., pieces) { tokens[code] = Array(piece.utf8) }
    return tokens
  }

  private func compressed(_ text: String, _ tokens: [[UInt8]]) -> [UInt8] {
    var rest = Array(text.utf8)[...]
    var codes: [UInt8] = []
    while !rest.isEmpty {
      let pieces = (0x80..<0x80 + self.pieces.count).filter { rest.starts(with: tokens[$0]) }
      let best = pieces.max { tokens[$0].count < tokens[$1].count } ?? Int(rest[rest.startIndex])
      codes.append(UInt8(best))
      rest = rest.dropFirst(tokens[best].count)
    }
    return codes
  }

  /// The tables, after `padding` bytes of other data.
  func bytes(padding: Int = 24) -> [UInt8] {
    var bytes = (0..<padding).map { UInt8(truncatingIfNeeded: $0 | 1) }
    func align(_ size: Int) { while bytes.count % size != 0 { bytes.append(0) } }
    align(8)
    switch form {
    case .baseBeforeNames, .perCPUBeforeNames: addOffsets(to: &bytes)
    case .absoluteBeforeNames: for symbol in symbols { bytes += little(symbol.address) }
    default: break
    }
    bytes += little(UInt32(symbols.count))
    align(8)
    let tokens = tokens
    var names: [UInt8] = []
    var markers: [Int] = []
    for (number, symbol) in symbols.enumerated() {
      if number % 256 == 0 { markers.append(names.count) }
      let codes = compressed(String(symbol.letter) + symbol.name, tokens)
      names +=
        codes.count < 0x80
        ? [UInt8(codes.count)] : [UInt8(codes.count & 0x7F | 0x80), UInt8(codes.count >> 7)]
      names += codes
    }
    bytes += names
    align(8)
    for marker in markers { bytes += little(UInt32(marker)) }
    align(8)
    if hasSequenceNumbers { addSequenceNumbers(to: &bytes) }
    align(8)
    var index: [UInt8] = []
    var texts: [UInt8] = []
    for token in tokens {
      index += little(UInt16(texts.count))
      texts += token + [0]
    }
    bytes += texts
    align(8)
    bytes += index
    align(8)
    switch form {
    case .baseBehindTokens, .perCPUBehindTokens: addOffsets(to: &bytes)
    case .ownPlace:
      for symbol in symbols {
        bytes += little(
          UInt32(truncatingIfNeeded: symbol.address &- address &- UInt64(bytes.count)))
      }
    default: break
    }
    return bytes + [UInt8](repeating: 0x55, count: 64)
  }

  private func addOffsets(to bytes: inout [UInt8]) {
    let isPerCPU = form == .perCPUBeforeNames || form == .perCPUBehindTokens
    for symbol in symbols {
      let offset = symbol.address &- base
      bytes += little(
        UInt32(
          truncatingIfNeeded: !isPerCPU
            ? offset : symbol.address >> 63 == 0 ? symbol.address : UInt64.max &- offset))
    }
    while bytes.count % 8 != 0 { bytes.append(0) }
    bytes += little(base)
  }

  private func addSequenceNumbers(to bytes: inout [UInt8]) {
    let order = symbols.indices.sorted { symbols[$0].name < symbols[$1].name }
    for number in order {
      bytes += [UInt8(number >> 16), UInt8(number >> 8 & 0xFF), UInt8(number & 0xFF)]
    }
  }
}
