internal import KernelImage
internal import Mitigation

extension SiteFinder {
  /// Direct calls of the sequence, and the reference of the BPF JIT, from one pass over the code.
  func references(_ decoder: borrowing Decoder) -> [FoundSite] {
    var sites: [FoundSite] = []
    for function in functions.functions {
      for (bytes, address) in kernel.code {
        let scan = ReferenceScan(bytes, at: address, target: function.address)
        for offset in scan.displacements {
          sites += reference(
            at: address + UInt64(offset), in: bytes, from: address, to: function, decoder)
        }
        for offset in scan.immediates {
          guard let opcode = moveOpcode(bytes, offset) else { continue }
          sites += jit(at: address + UInt64(offset - opcode), function)
        }
      }
    }
    return jitOnce(sites)
  }

  /// A displacement that reaches the sequence: a direct call or jump, or the JIT's rip-relative
  /// reference; empty if decoding from the start of the function shows that it is neither.
  private func reference(
    at field: UInt64, in bytes: UnsafeRawBufferPointer, from start: UInt64,
    to function: SequenceFunction, _ decoder: borrowing Decoder
  ) -> [FoundSite] {
    guard !function.range.contains(field), functions.containing(field) == nil,
      let symbol = kernel.symbols.nearest(to: field), symbol.offset <= field - start
    else { return [] }
    let entry = field - symbol.offset
    // The kernel patches these; they are sites of their own kind.
    guard !table.entries.contains(where: { $0.siteRange.contains(field) }) else { return [] }
    let code = UnsafeRawBufferPointer(
      rebasing: bytes[Int(entry - start)..<min(Int(field - start) + 16, bytes.count)])
    guard
      let instruction = decoder.decode(code, at: entry).first(where: {
        $0.address < field && field < $0.end
      }), instruction.end == field + 4
    else { return [] }
    let place = place(of: instruction.address)
    switch instruction.kind {
    case .call(function.address), .jump(function.address), .conditional(function.address):
      let code = UnsafeRawBufferPointer(rebasing: code[instruction.range])
      let text = decoder.text(of: code, at: instruction.address) { _ in function.symbol }
      let site = Site(
        entryPoint: place.entryPoint, kind: .direct, image: "vmlinux",
        address: Address(instruction.address), symbol: place.symbol, section: place.section,
        feature: nil,
        original: HexBytes(code), replacement: nil, originalText: text, target: function.symbol)
      return [FoundSite(site: site, barrierFollows: barrier(behind: instruction.end, decoder))]
    default:
      guard instruction.operation == .loadAddress,
        instruction.memory?.address == function.address
      else { return [] }
      return jit(at: instruction.address, function)
    }
  }

  /// The length of what stands in front of a 32-bit immediate, if that is `mov $imm, %reg`: the
  /// form in which a kernel that is linked to a fixed address loads the address of a function.
  private func moveOpcode(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> Int? {
    guard offset >= 3 else { return nil }
    let opcode = bytes[offset - 1]
    // REX.W, C7 /0: sign-extended into 64 bits.
    if bytes[offset - 2] == 0xC7, opcode & 0xF8 == 0xC0, bytes[offset - 3] & 0xFE == 0x48 {
      return 3
    }
    guard opcode & 0xF8 == 0xB8 else { return nil }
    return bytes[offset - 2] == 0x41 ? 2 : 1
  }

  private func jit(at address: UInt64, _ function: SequenceFunction) -> [FoundSite] {
    let place = place(of: address)
    // The address is also loaded where boot code directs a static call at the sequence.
    guard place.entryPoint == .bpf else { return [] }
    let guards = jitGuards(at: address)
    let site = Site(
      entryPoint: .bpf, kind: .jit, image: "vmlinux", address: Address(address),
      symbol: place.symbol,
      section: place.section,
      feature: guards.map { features.reference($0.sequence, use: .site(.bpf)) }, original: nil,
      replacement: nil, target: function.symbol)
    return [FoundSite(site: site, guards: guards)]
  }

  /// The JIT loads the address for the call, for its displacement and for an error message: one
  /// site, for which the first reference outside the unlikely part stands.
  private func jitOnce(_ sites: [FoundSite]) -> [FoundSite] {
    let jit = sites.filter { $0.site.kind == .jit }
    let chosen = jit.first { $0.site.symbol?.contains(".cold") == false } ?? jit.first
    return sites.filter { $0.site.kind != .jit } + (chosen.map { [$0] } ?? [])
  }

  /// Calls through a static call that boot code may direct at the sequence.
  ///
  /// `.static_call_sites` holds pairs of place-relative offsets, to the call and to the key, of
  /// which the low two bits are flags (include/linux/static_call_types.h).
  func staticCalls(_ decoder: borrowing Decoder) -> [FoundSite] {
    var sites: [FoundSite] = []
    for known in SequenceStaticCall.known {
      guard let key = kernel.symbols.address(of: known.key),
        let range = kernel.table(
          from: "__start_static_call_sites", to: "__stop_static_call_sites",
          orSection: ".static_call_sites"),
        let count = Int(exactly: range.upperBound - range.lowerBound),
        let bytes = kernel.bytes(at: range.lowerBound, count: count)
      else { continue }
      for offset in stride(from: 0, to: count - count % 8, by: 8) {
        let here = range.lowerBound + UInt64(offset)
        let call = Int64(bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self))
        let target = Int64(bytes.loadUnaligned(fromByteOffset: offset + 4, as: Int32.self))
        guard (here &+ 4 &+ UInt64(bitPattern: target)) & ~3 == key else { continue }
        sites.append(
          staticCall(at: here &+ UInt64(bitPattern: call), known, decoder))
      }
    }
    return sites
  }

  private func staticCall(
    at address: UInt64, _ known: SequenceStaticCall, _ decoder: borrowing Decoder
  ) -> FoundSite {
    let place = place(of: address)
    let bytes = kernel.bytes(at: address, count: 5)
    return FoundSite(
      site: Site(
        entryPoint: known.entryPoint, kind: .staticCall, image: "vmlinux",
        address: Address(address),
        symbol: place.symbol, section: place.section, feature: nil,
        original: bytes.map { HexBytes($0) }, replacement: nil,
        originalText: bytes.map { decoder.text(of: $0, at: address) }, target: nil))
  }
}
