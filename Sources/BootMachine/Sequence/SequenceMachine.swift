internal import Alternatives
internal import CUnicorn
internal import KernelImage
internal import Mitigation

/// An emulator that holds nothing of an image but the pages its sequence touches.
///
/// For measuring a sequence without booting: no copy of the image is made.
struct SequenceMachine: ~Copyable {
  private let engine: Engine
  private let state: State
  private let decoder: Decoder
  private static let stop: UInt64 = 0xffff_9000_0000_0000
  private static let stack: UInt64 = 0xffff_9100_0000_0000
  private static let pageSize: UInt64 = 4096

  init(_ kernel: KernelImage) throws(MachineError) {
    let decoder = try MachineError.wrapping { () throws(DecoderError) in try Decoder() }
    let engine = try Engine()
    let state = State(kernel)
    let user = Unmanaged.passUnretained(state).toOpaque()
    var hook: uc_hook = 0
    try Engine.check(bhb_hook_block(engine.handle, &hook, onBlock, user), "a hook on blocks")
    let faults =
      UC_HOOK_MEM_READ_UNMAPPED.rawValue | UC_HOOK_MEM_WRITE_UNMAPPED.rawValue
      | UC_HOOK_MEM_FETCH_UNMAPPED.rawValue
    try Engine.check(
      bhb_hook_memory_event(engine.handle, &hook, Int32(faults), onUnmapped, user),
      "a hook on unmapped memory")
    for area in [Self.stop, Self.stack] {
      try Engine.check(
        uc_mem_map(engine.handle, area, Int(Self.pageSize), UInt32(UC_PROT_ALL.rawValue)),
        "uc_mem_map")
    }
    self.engine = engine
    self.state = state
    self.decoder = decoder
  }

  /// What a run of `function` does, with `patches` in place of what the image holds there and
  /// `loads` in its registers.
  func measure(
    _ function: SequenceFunction, patches: [(address: UInt64, bytes: [UInt8])] = [],
    loads: [Replacement.Load] = [], selectedBy: String
  ) throws(MachineError) -> SequenceVariant {
    var originals: [(address: UInt64, bytes: [UInt8])] = []
    for patch in patches {
      guard let bytes = state.kernel.bytes(at: patch.address, count: patch.bytes.count) else {
        throw MachineError("the image holds nothing at \(hexadecimal(patch.address))")
      }
      originals.append((patch.address, Array(bytes)))
      try write(patch.bytes, at: patch.address)
    }
    // Unicorn 2.0.1 cannot discard translations of a page that came into being while code was
    // fetched from it: the next variant would run as this one.
    try makePresent(function.range)
    // A failure discards the machine, and with it what was not put back.
    let failure = try run(function, loads: loads)
    // Decoded while the patches are still in place.
    let variant =
      failure.map { SequenceVariant(selectedBy: selectedBy, undeterminedBecause: $0) }
      ?? SequenceRun(
        state.trace, end: Self.stop, site: nil, decoder: decoder, code: { read($0, $1) }
      ).variant(of: function, selectedBy: selectedBy)
    for original in originals { try write(original.bytes, at: original.address) }
    return variant
  }

  private func run(
    _ function: SequenceFunction, loads: [Replacement.Load]
  ) throws(MachineError) -> String? {
    state.trace.removeAll(keepingCapacity: true)
    let top = Self.stack + Self.pageSize - 64
    var stop = Self.stop
    try Engine.check(uc_mem_write(engine.handle, top, &stop, 8), "uc_mem_write")
    engine.write(UC_X86_REG_RSP, top)
    for register in generalRegisters { engine.write(register, 0) }
    for load in loads {
      guard Int(load.register.number) < encodedRegisters.count else {
        return "a count in \(load.register.name) cannot be set"
      }
      let register = encodedRegisters[Int(load.register.number)]
      engine.write(register, load.register.inserting(load.value, into: engine.read(register)))
    }
    let error = engine.run(from: function.address, until: Self.stop)
    if state.trace.count >= State.limit { return "the sequence does not end" }
    guard error == UC_ERR_OK, engine.read(UC_X86_REG_RIP) == Self.stop else {
      return "\(Engine.text(error)) at \(state.kernel.describe(engine.read(UC_X86_REG_RIP)))"
    }
    return nil
  }

  private func write(_ bytes: [UInt8], at address: UInt64) throws(MachineError) {
    let range = address..<(address &+ UInt64(bytes.count))
    try makePresent(range)
    try Engine.check(uc_mem_write(engine.handle, address, bytes, bytes.count), "uc_mem_write")
    engine.forgetCode(in: range)
  }

  private func makePresent(_ range: Range<UInt64>) throws(MachineError) {
    var page = range.lowerBound & ~(Self.pageSize - 1)
    while page < range.upperBound {
      guard state.map(page: page, engine.handle) else {
        throw MachineError("no memory at \(hexadecimal(page))")
      }
      page &+= Self.pageSize
    }
  }

  /// Guest memory as it is now.
  private func read(_ address: UInt64, _ count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    return uc_mem_read(engine.handle, address, &bytes, count) == UC_ERR_OK ? bytes : nil
  }

  /// What the hooks of the machine see.
  final class State {
    let kernel: KernelImage
    var trace: [BlockRun] = []
    private var pages: Set<UInt64> = []

    /// A hundred times the blocks of the long sequence.
    static let limit = 50_000

    init(_ kernel: KernelImage) { self.kernel = kernel }

    /// Makes a page of the image present; false if the image has none there.
    func map(page: UInt64, _ engine: OpaquePointer?) -> Bool {
      if pages.contains(page) { return true }
      // The last page of the address space has no end, and is no image's.
      guard page < 0 &- SequenceMachine.pageSize,
        let segment = kernel.segments.first(where: {
          $0.addresses.overlaps(page..<page &+ SequenceMachine.pageSize)
        }),
        uc_mem_map(
          engine, page, Int(SequenceMachine.pageSize), UInt32(UC_PROT_ALL.rawValue)) == UC_ERR_OK
      else { return false }
      pages.insert(page)
      let backed = segment.backed.clamped(to: page..<page &+ SequenceMachine.pageSize)
      guard !backed.isEmpty else { return true }
      guard let bytes = kernel.bytes(at: backed.lowerBound, count: backed.count) else {
        return false
      }
      return uc_mem_write(engine, backed.lowerBound, bytes.baseAddress, bytes.count) == UC_ERR_OK
    }
  }
}

private func onBlock(
  _ engine: OpaquePointer?, _ address: UInt64, _ size: UInt32, _ user: UnsafeMutableRawPointer?
) {
  guard let user else { return }
  let state = Unmanaged<SequenceMachine.State>.fromOpaque(user).takeUnretainedValue()
  state.trace.append(BlockRun(address: address, size: size))
  if state.trace.count >= SequenceMachine.State.limit { uc_emu_stop(engine) }
}

private func onUnmapped(
  _ engine: OpaquePointer?, _ kind: uc_mem_type, _ address: UInt64, _ size: Int32, _ value: Int64,
  _ user: UnsafeMutableRawPointer?
) -> Bool {
  guard let user else { return false }
  let state = Unmanaged<SequenceMachine.State>.fromOpaque(user).takeUnretainedValue()
  return state.map(page: address & ~4095, engine)
}
