import Testing

@testable import Alternatives

@Suite("Decoding")
struct DecoderTests {
  private func decode(_ bytes: [UInt8], at address: UInt64 = 0x1000) throws -> [Instruction] {
    let decoder = try Decoder()
    return bytes.withUnsafeBytes { decoder.decode($0, at: address) }
  }

  @Test("what Capstone 4.0.2 does not know, or gets wrong, has its full length")
  func gaps() throws {
    let encodings: [[UInt8]] = [
      [0xF3, 0x48, 0x0F, 0x1E, 0xF8], [0x0F, 0x01, 0xEF], [0x0F, 0x01, 0xC6],
      [0xF3, 0x0F, 0x01, 0xE8], [0x67, 0x48, 0x0F, 0xB9, 0x3A],
      [0x67, 0x0F, 0xB9, 0x40, 0x05], [0x0F, 0xB9, 0x84, 0x24, 1, 2, 3, 4],
      [0x0F, 0xB9, 0x04, 0x25, 1, 2, 3, 4], [0x0F, 0xB9, 0x05, 1, 2, 3, 4],
      [0x48, 0x0F, 0x38, 0xF6, 0x01], [0xF3, 0x0F, 0x09],
    ]
    for encoding in encodings {
      let run = try decode(encoding + [0x90, 0xC3])
      #expect(run.map(\.length) == [encoding.count, 1, 1], "\(encoding)")
      #expect(run.last?.kind == .ret)
    }
  }

  @Test("IBHF is known for what it is")
  func branchHistoryFence() throws {
    #expect(try decode([0xF3, 0x48, 0x0F, 0x1E, 0xF8])[0].operation == .branchHistoryFence)
  }

  @Test("incssp shares LFENCE's opcode but is no barrier")
  func shadowStackIsNoFence() throws {
    #expect(try decode([0xF3, 0x48, 0x0F, 0xAE, 0xE8])[0].kind == .other)
    #expect(try decode([0x0F, 0xAE, 0xE8])[0].kind == .fence)
  }

  @Test("erets and eretu leave the kernel; clac does not")
  func eret() throws {
    #expect(try decode([0xF2, 0x0F, 0x01, 0xCA])[0].kind == .systemReturn)
    #expect(try decode([0xF3, 0x0F, 0x01, 0xCA])[0].kind == .systemReturn)
    #expect(try decode([0x0F, 0x01, 0xCA])[0].kind == .other)
  }

  @Test("branches have their targets, indirect ones have none")
  func branches() throws {
    let code: [UInt8] =
      [0xE8, 0xFB, 0xFF, 0xFF, 0xFF]  // call to itself
      + [0xEB, 0x01]  // jmp over one byte
      + [0x75, 0xF8]  // jne back
      + [0x2E, 0xE9, 0, 0, 0, 0]  // jmp with a prefix
      + [0xFF, 0xE0, 0xFF, 0xD0]  // jmp *%rax; call *%rax
      + [0xF3, 0xC3, 0xCC, 0x0F, 0x0B]
    let kinds = try decode(code).map(\.kind)
    #expect(
      kinds == [
        .call(target: 0x1000), .jump(target: 0x1008), .conditional(target: 0x1001),
        .jump(target: 0x100F), .jump(target: nil), .call(target: nil), .ret, .trap, .undefined,
      ])
  }

  @Test("operands: registers by part, immediates, rip-relative memory")
  func operands() throws {
    let code: [UInt8] =
      [0xB9, 5, 0, 0, 0] + [0xB4, 12] + [0x89, 0xD0] + [0x0F, 0xB6, 0x0D, 0x10, 0, 0, 0]
      + [0x80, 0xEC, 1] + [0x48, 0xC7, 0xC2, 0x00, 0x17, 0xC0, 0x81]
    let run = try decode(code)
    #expect(run.count == 6)
    #expect(run[0].destinationRegister?.name == "ecx")
    #expect(run[0].immediate == 5)
    #expect(run[1].destinationRegister == Register(number: 0, part: .high8))
    #expect(run[1].immediate == 12)
    #expect(run[2].source == .register(Register(number: 2, part: .dword)))
    #expect(run[3].operation == .extendingMove)
    #expect(run[3].memory?.address == run[3].end + 0x10)
    #expect(run[3].memory?.size == 1)
    #expect(run[4].operation == .subtract)
    #expect(run[5].immediate == Int64(Int32(bitPattern: 0x81C0_1700)))
  }

  @Test("an undecodable byte ends the run and shows")
  func undecodable() throws {
    let run = try decode([0x90, 0x06, 0x90])
    #expect(run.map(\.kind) == [.other, .undecodable])
    #expect(run[1].address == 0x1001)
    #expect(try decode([0xE8, 1, 2]).map(\.kind) == [.undecodable])
  }

  @Test("any three bytes decode to something that stays inside them")
  func bounds() throws {
    let decoder = try Decoder()
    var bytes: [UInt8] = [0, 0, 0, 0, 0]
    for number in stride(from: 0, to: 1 << 24, by: 4093) {
      for (index, shift) in [0, 8, 16].enumerated() {
        bytes[index + 1] = UInt8(truncatingIfNeeded: number >> shift)
      }
      bytes[0] = number & 1 == 0 ? 0x0F : 0xF3
      bytes[4] = UInt8(truncatingIfNeeded: number >> 5)
      let run = bytes.withUnsafeBytes { decoder.decode($0, at: 0) }
      #expect(run.allSatisfy { $0.range.upperBound <= bytes.count && $0.length > 0 })
    }
  }

  @Test("threads that decode an implicit register at the same time all see it")
  func threads() async throws {
    let registers = await withTaskGroup(of: [Register?].self) { group in
      for _ in 0..<16 {
        group.addTask {
          (0..<50).map { _ in
            // sub $1, %al
            (try? decode([0x2C, 0x01]))?.first?.destinationRegister
          }
        }
      }
      return await group.reduce(into: []) { $0 += $1 }
    }
    #expect(registers.allSatisfy { $0 == Register(number: 0, part: .low8) })
  }

  @Test("constants below zero are written alike by every version of Capstone")
  func negativeConstants() throws {
    let decoder = try Decoder()
    let texts: [([UInt8], String)] = [
      ([0x48, 0xC7, 0xC7, 0x80, 0xFB, 0xEF, 0x83], "movq $-0x7c100480, %rdi"),
      ([0x48, 0xC7, 0xC0, 0xFF, 0xFF, 0xFF, 0xFF], "movq $-1, %rax"),
      ([0x48, 0xB8, 0, 1, 0, 0, 0, 0, 0xAD, 0xDE], "movabsq $0xdead000000000100, %rax"),
      ([0x83, 0xF9, 0x05], "cmpl $5, %ecx"),
    ]
    for (code, text) in texts {
      #expect(code.withUnsafeBytes { decoder.text(of: $0, at: 0x1000) } == text)
    }
  }

  @Test("text is AT&T, and operands keep Intel's order afterwards")
  func text() throws {
    let decoder = try Decoder()
    let code: [UInt8] = [0xB9, 5, 0, 0, 0, 0xE8, 0, 0, 0, 0, 0xF3, 0x48, 0x0F, 0x1E, 0xF8, 0x06]
    code.withUnsafeBytes { code in
      #expect(decoder.text(of: code, at: 0x1000) == "movl $5, %ecx; callq 0x100a; ibhf; (bad)")
      #expect(decoder.one(code, at: 0x1000)?.destinationRegister?.name == "ecx")
    }
  }

  @Test("parts of a register overlap, but al and ah do not")
  func overlap() {
    let al = Register(number: 0, part: .low8)
    let ah = Register(number: 0, part: .high8)
    let eax = Register(number: 0, part: .dword)
    #expect(!al.overlaps(ah))
    #expect(al.overlaps(eax) && eax.overlaps(ah))
    #expect(!eax.overlaps(Register(number: 1, part: .dword)))
  }
}
