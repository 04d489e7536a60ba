extension SequenceFunctions {
  /// The function of the sequence that straight code calls or jumps to; nil if it does neither.
  ///
  /// For the bytes of a site as they stand after patching.
  public func target(
    ofCode bytes: UnsafeRawBufferPointer, at address: UInt64, _ decoder: borrowing Decoder
  ) -> UInt64? {
    for instruction in decoder.decode(bytes, at: address) {
      switch instruction.kind {
      case .call(let target?), .jump(let target?):
        if starting(at: target) != nil { return target }
      default: continue
      }
    }
    return nil
  }
}
