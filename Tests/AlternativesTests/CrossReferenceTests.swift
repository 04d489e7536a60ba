import KernelImage
import Mitigation
import Testing

@testable import Alternatives

@Suite("What instructions do to memory")
struct MemoryEffectTests {
  static let effects: [(code: [UInt8], immediate: Int64?, effect: MemoryEffect)] = [
    // lock orb $2, byte; orl $0x10, word; andb $0xfe, byte; xorb
    ([0xF0, 0x80, 0x0D, 0, 0, 0, 0, 2], 2, .changes(2)),
    ([0x81, 0x0D, 0, 0, 0, 0, 0x10, 0, 0, 0], 0x10, .changes(0x10)),
    ([0x80, 0x25, 0, 0, 0, 0, 0xFE], -2, .changes(1)),
    ([0x80, 0x35, 0, 0, 0, 0, 4], 4, .changes(4)),
    // cmpb, testb, bt $imm, movzbl, mov from memory
    ([0x80, 0x3D, 0, 0, 0, 0, 1], 1, .read),
    ([0xF6, 0x05, 0, 0, 0, 0, 2], 2, .read),
    ([0x0F, 0xBA, 0x25, 0, 0, 0, 0, 1], 1, .read),
    ([0x0F, 0xB6, 0x05, 0, 0, 0, 0], nil, .read),
    ([0x48, 0x8B, 0x05, 0, 0, 0, 0], nil, .read),
    ([0x38, 0x05, 0, 0, 0, 0], nil, .read),
    // bts $9, lock btr %rax, bt %rax
    ([0xF0, 0x0F, 0xBA, 0x2D, 0, 0, 0, 0, 9], 9, .changes(1 << 9)),
    ([0xF0, 0x48, 0x0F, 0xB3, 0x05, 0, 0, 0, 0], nil, .anyBit),
    ([0x48, 0x0F, 0xA3, 0x05, 0, 0, 0, 0], nil, .read),
    // movb $imm, mov %al, mov %rax, or %eax, xchg, incb, setne, lea
    ([0xC6, 0x05, 0, 0, 0, 0, 12], 12, .write),
    ([0x88, 0x05, 0, 0, 0, 0], nil, .write),
    ([0x48, 0x89, 0x05, 0, 0, 0, 0], nil, .write),
    ([0x09, 0x05, 0, 0, 0, 0], nil, .write),
    ([0x87, 0x05, 0, 0, 0, 0], nil, .write),
    ([0xFE, 0x05, 0, 0, 0, 0], nil, .write),
    ([0xFF, 0x35, 0, 0, 0, 0], nil, .read),
    ([0x0F, 0x95, 0x05, 0, 0, 0, 0], nil, .write),
    ([0x48, 0x8D, 0x05, 0, 0, 0, 0], nil, .address),
  ]

  @Test("the effect is read off the opcode", arguments: effects)
  func effect(_ code: [UInt8], _ immediate: Int64?, _ effect: MemoryEffect) {
    #expect(code.withUnsafeBytes { MemoryEffect($0, immediate: immediate) } == effect)
  }
}

@Suite("Scan for ranges")
struct RangeScanTests {
  private static let base: UInt64 = 0xFFFF_FFFF_8100_0000
  private static let ranges: [Range<UInt64>] = [
    0xFFFF_FFFF_81C0_1700..<0xFFFF_FFFF_81C0_1704, 0xFFFF_FFFF_81C0_1900..<0xFFFF_FFFF_81C0_1901,
    0xFFFF_FFFF_8200_0000..<0xFFFF_FFFF_8200_0040,
  ]

  /// The matches that a look at each offset finds.
  private func slow(_ bytes: [UInt8]) -> Set<String> {
    var found: Set<String> = []
    for offset in 0..<(bytes.count - 3) {
      let value = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[offset + $1]) << (8 * $1) }
      let low = 0xFFFF_FFFF_0000_0000 | UInt64(value)
      if Self.ranges.contains(where: { $0.contains(low) }) { found.insert("\(offset) absolute") }
      let end = Self.base + UInt64(offset) + 4
      let target = end &+ UInt64(bitPattern: Int64(Int32(bitPattern: value)))
      for immediate in 0...4 as ClosedRange<UInt64>
      where Self.ranges.contains(where: { $0.contains(target &+ immediate) }) {
        found.insert("\(offset) relative")
      }
    }
    return found
  }

  private func fast(_ bytes: [UInt8]) -> Set<String> {
    let scan = bytes.withUnsafeBytes { RangeScan($0, at: Self.base, ranges: Self.ranges) }
    return Set(scan.hits.map { "\($0.offset) \($0.isAbsolute ? "absolute" : "relative")" })
  }

  @Test("it finds what a look at each offset finds", arguments: [4, 19, 20, 67, 1024])
  func agrees(_ count: Int) {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<200 {
      var bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
      let offset = Int.random(in: 0...(count - 4), using: &random)
      let range = Self.ranges[Int.random(in: 0..<3, using: &random)]
      let target = UInt64.random(in: range.lowerBound - 6...range.upperBound + 1, using: &random)
      let isAbsolute = Bool.random(using: &random)
      let value = isAbsolute ? target : target &- (Self.base + UInt64(offset) + 4)
      for index in 0..<4 { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index)) }
      #expect(fast(bytes) == slow(bytes))
    }
  }
}

@Suite("Who writes what the choice rests on")
struct DecisionWriterTests {
  private static let capabilities = TinyKernel.base + 0x2000
  private static let feature = FeatureReference(number: 21 * 32 + 1, name: nil)

  private func site() -> Site {
    Site(
      entryPoint: .syscall64, kind: .alternative, image: "vmlinux", address: Address(0),
      symbol: nil, section: nil, feature: Self.feature, original: nil, replacement: nil, target: nil
    )
  }

  /// One function, and the offsets of the writers in it.
  private func writers(_ write: (inout Assembly) -> Void) throws -> [DecisionWriter] {
    var kernel = TinyKernel()
    var code = Assembly(at: TinyKernel.base)
    write(&code)
    let size = code.bytes.count
    code.pad(to: 128)
    // setup_force_cpu_cap: bts %rdi, the array
    let helper = code.here
    code.branch(0x48, 0x0F, 0xAB, 0x3D, to: Self.capabilities)
    code.emit(0xC3)
    kernel.add(".text", code.bytes, isExecutable: true)
    kernel.add(".empty", [0])
    kernel.add(".data", [UInt8](repeating: 0, count: 256))
    kernel.symbol("function", TinyKernel.base, size: UInt64(size))
    kernel.symbol("force_it", helper, size: 9)
    let image = try kernel.image()
    let functions = SequenceFunctions(functions: [])
    return DecisionWriters(
      image, functions: functions, sites: [site()], capabilities: Self.capabilities
    ).all(try Decoder())
  }

  private var byte: UInt64 { Self.capabilities + UInt64(Self.feature.number / 8) }

  @Test("setting the bit counts, whatever the instruction")
  func sets() throws {
    let byte = byte
    let found = try writers { code in
      code.branch(0xF0, 0x80, 0x0D, to: byte - 1)
      code.emit(0x02)
      code.branch(0x81, 0x0D, to: byte - 4)
      code.emit(2, 0, 0, 0)
      code.emit(0xC3)
    }
    #expect(found.map(\.address) == [TinyKernel.base, TinyKernel.base + 8])
    #expect(found.allSatisfy { $0.manner == .writes && $0.subject == .feature(Self.feature) })
  }

  @Test("testing it, and setting another one, does not")
  func reads() throws {
    let byte = byte
    let found = try writers { code in
      code.branch(0xF6, 0x05, to: byte - 1)
      code.emit(0x02)
      code.branch(0xF0, 0x80, 0x0D, to: byte - 1)
      code.emit(0x04)
      code.branch(0x8B, 0x05, to: byte)
      code.emit(0xC3)
    }
    #expect(found.isEmpty, "\(found)")
  }

  @Test("a function that sets any bit is found, and a call that tells it the feature")
  func calls() throws {
    let found = try writers { code in
      // mov $673, %edi; call; mov $674, %edi; call
      code.emit(0xBF, 0xA1, 0x02, 0x00, 0x00)
      code.branch(0xE8, to: TinyKernel.base + 128)
      code.emit(0xBF, 0xA2, 0x02, 0x00, 0x00)
      code.branch(0xE8, to: TinyKernel.base + 128)
      code.emit(0xC3)
    }
    #expect(found.map(\.address) == [TinyKernel.base + 5])
    #expect(found.map(\.manner) == [.calls])
  }
}
