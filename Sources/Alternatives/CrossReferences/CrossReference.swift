internal import KernelImage

/// An instruction that names one of a few places.
struct CrossReference: Hashable, Sendable {
  var instruction: Instruction
  /// The address that it names.
  var target: UInt64
  /// nil: it branches there.
  var effect: MemoryEffect?
}

extension KernelImage {
  /// The instructions that branch to an address in one of `ranges`, write there or make it, but
  /// not those that only read. Each is verified by decoding its function from the start; in
  /// ascending order.
  func references(
    to ranges: [Range<UInt64>], _ decoder: borrowing Decoder
  ) -> [CrossReference] {
    guard !ranges.isEmpty else { return [] }
    var found: [CrossReference] = []
    for (bytes, address) in code {
      var last: (range: Range<UInt64>, instructions: [Instruction])?
      for hit in RangeScan(bytes, at: address, ranges: ranges).hits {
        guard Self.isPlausible(hit, in: bytes) else { continue }
        let field = address + UInt64(hit.offset)
        guard let function = function(around: field), function.lowerBound >= address else {
          continue
        }
        if last?.range != function {
          let start = Int(function.lowerBound - address)
          let end = min(Int(function.upperBound - address), bytes.count)
          let code = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
          last = (function, decoder.decode(code, at: function.lowerBound))
        }
        guard let (function, instructions) = last,
          let instruction = instructions.containing(field),
          let reference = CrossReference(
            instruction, in: ranges, bytes, at: address, function: function)
        else { continue }
        if found.last != reference { found.append(reference) }
      }
    }
    return found.sorted { $0.instruction.address < $1.instruction.address }
  }

  /// Whether what stands in front of the 32 bits may belong to an instruction with such a field:
  /// most matches are chance, and decoding takes long.
  private static func isPlausible(_ hit: RangeScan.Hit, in bytes: UnsafeRawBufferPointer) -> Bool {
    guard hit.offset >= 1 else { return false }
    let before = bytes[hit.offset - 1]
    if hit.isAbsolute {
      // A base register and a displacement, a SIB without a base, or an immediate.
      return before & 0xc0 == 0x80 || before & 0x07 == 5 || before & 0xf8 == 0xb8
        || before & 0xf8 == 0xc0 || before == 0x68 || before & 0xc0 == 0
    }
    if before & 0xfe == 0xe8 { return true }
    guard hit.offset >= 2 else { return false }
    if before & 0xf0 == 0x80, bytes[hit.offset - 2] == 0x0f { return true }
    guard before & 0xc7 == 0x05 else { return false }
    // An opcode of one byte or of two; tests of features are everywhere.
    func effect(_ length: Int) -> MemoryEffect {
      let start = hit.offset - 1 - length
      guard start >= 0 else { return .read }
      return MemoryEffect(
        UnsafeRawBufferPointer(rebasing: bytes[start..<hit.offset]), immediate: nil)
    }
    return effect(1) != .read
      || hit.offset >= 3 && bytes[hit.offset - 3] == 0x0f && effect(2) != .read
  }
}

extension CrossReference {
  fileprivate init?(
    _ instruction: Instruction, in ranges: [Range<UInt64>], _ bytes: UnsafeRawBufferPointer,
    at address: UInt64, function: Range<UInt64>
  ) {
    func isWanted(_ target: UInt64) -> Bool { ranges.contains { $0.contains(target) } }
    self.instruction = instruction
    if let target = instruction.target {
      guard isWanted(target) else { return nil }
      self.target = target
      return
    }
    let start = Int(instruction.address - address)
    let code = UnsafeRawBufferPointer(rebasing: bytes[start..<start + instruction.length])
    if let memory = instruction.memory {
      // With a register beside it the displacement is where an array begins.
      let place = memory.address ?? UInt64(bitPattern: memory.displacement)
      // GS-relative places are another CPU's business.
      if isWanted(place), !memory.isSegmented {
        target = place
        effect = MemoryEffect(code, immediate: instruction.immediate)
        return
      }
    }
    guard let value = instruction.immediate.map({ UInt64(bitPattern: $0) }) else { return nil }
    // A move to a 32-bit register clears its upper half, where kernel addresses have ones.
    let place = value <= UInt64(UInt32.max) ? value | 0xffff_ffff_0000_0000 : value
    guard isWanted(place) else { return nil }
    target = place
    effect = .address
  }
}

extension [Instruction] {
  /// The one that an address lies in, of instructions in ascending order.
  func containing(_ address: UInt64) -> Instruction? {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      if self[middle].end <= address { low = middle + 1 } else { high = middle }
    }
    guard low < count, self[low].address <= address else { return nil }
    return self[low]
  }
}
