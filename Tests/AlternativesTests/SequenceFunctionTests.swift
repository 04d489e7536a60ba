import KernelImage
import Mitigation
import Testing

@testable import Alternatives

/// A sequence as kernels have it: a call maze around two loops, returns in the upper half of lines.
struct SequenceCode {
  /// What loads the counter of the outer and of the inner loop.
  var outerLoad: [UInt8] = [0xB9, 5, 0, 0, 0]
  var innerLoad: [UInt8] = [0xB8, 5, 0, 0, 0]
  /// sub $1, %ecx and sub $1, %eax.
  var outerStep: [UInt8] = [0x83, 0xE9, 1]
  var innerStep: [UInt8] = [0x83, 0xE8, 1]
  var ending: [UInt8] = [0x0F, 0xAE, 0xE8]

  func bytes(at address: UInt64) -> [UInt8] {
    var code = Assembly(at: address)
    outerLoad.forEach { code.emit($0) }
    let first = address + 91
    let second = address + 142
    let inner = second + UInt64(innerLoad.count)
    let end = inner + UInt64(5 + innerStep.count + 2 + outerStep.count + 6 + 1)
    code.branch(0xE8, to: first)
    code.branch(0xE9, to: end)
    code.pad(to: 91)
    code.branch(0xE8, to: second)
    code.emit(0xC3)
    code.pad(to: 142)
    innerLoad.forEach { code.emit($0) }
    code.branch(0xE9, to: inner + 5)
    innerStep.forEach { code.emit($0) }
    code.emit(0x75, UInt8(bitPattern: Int8(-(5 + innerStep.count + 2))))
    outerStep.forEach { code.emit($0) }
    code.branch(0x0F, 0x85, to: first)
    code.emit(0xC3)
    ending.forEach { code.emit($0) }
    code.emit(0xC3)
    return code.bytes
  }

  func function(
    entries: [AlternativeEntry] = [],
    variable: (Instruction.Memory) -> CountVariable? = { _ in nil }
  ) throws -> SequenceFunction {
    let decoder = try Decoder()
    let code = bytes(at: 0x1000).withUnsafeBytes {
      FunctionCode($0, at: 0x1000, thunks: [], decoder)
    }
    return SequenceFunction("clear_bhb_loop", code, entries: entries, variable: variable)
  }
}

@Suite("Sequence functions")
struct SequenceFunctionTests {
  private let ecx = Register(number: 1, part: .dword)

  @Test("immediates, with their loops, barrier and extent")
  func immediates() throws {
    let code = SequenceCode()
    let function = try code.function()
    #expect(function.shape == .immediate)
    #expect(function.outerCount == .immediate(5))
    #expect(function.innerCount == .immediate(5))
    #expect(function.barrier == true)
    #expect(function.isFullyDecoded)
    #expect(function.size == code.bytes(at: 0x1000).count)
    #expect(function.loops?.outer.counter == ecx)
    #expect(function.returns.count == 3)
  }

  @Test("counts in al and ah are two registers")
  func byteRegisters() throws {
    let function = try SequenceCode(
      outerLoad: [0xB0, 12], innerLoad: [0xB4, 7], outerStep: [0x2C, 1],
      innerStep: [0x80, 0xEC, 1]
    ).function()
    #expect(function.outerCount == .immediate(12))
    #expect(function.innerCount == .immediate(7))
  }

  @Test("counting down by adding -1")
  func adding() throws {
    // add $-1, %cl; add $-1, %eax
    let function = try SequenceCode(
      outerLoad: [0xB1, 5], outerStep: [0x80, 0xC1, 0xFF], innerStep: [0x83, 0xC0, 0xFF]
    ).function()
    #expect(function.outerCount == .immediate(5))
    #expect(function.innerCount == .immediate(5))
  }

  @Test("a count that is copied is followed to where it was loaded")
  func copied() throws {
    let function = try SequenceCode(
      outerLoad: [0xB9, 12, 0, 0, 0, 0xBA, 7, 0, 0, 0], innerLoad: [0x89, 0xD0]
    ).function()
    #expect(function.innerCount == .immediate(7))
  }

  @Test("a count that an alternatives entry exchanges")
  func alternative() throws {
    let entry = AlternativeEntry(
      address: 0x9000, site: 0x1000, replacement: 0x8000, feature: 674, negated: false,
      directCall: false, originalLength: 10, replacementLength: 10)
    let function = try SequenceCode(
      outerLoad: [0xB9, 5, 0, 0, 0, 0xBA, 5, 0, 0, 0], innerLoad: [0x89, 0xD0]
    ).function(entries: [entry])
    #expect(function.shape == .alternative)
    #expect(function.outerCount == .alternative(entry: 0x9000, original: 5))
    #expect(function.innerCount == .alternative(entry: 0x9000, original: 5))
    #expect(function.alternatives == [entry])
  }

  @Test("counts in memory, by address")
  func variables() throws {
    let function = try SequenceCode(
      outerLoad: [0x0F, 0xB6, 0x0D, 0, 1, 0, 0], innerLoad: [0x0F, 0xB6, 0x05, 0, 1, 0, 0]
    ).function { memory in
      memory.address.map { CountVariable(address: $0, size: memory.size, initial: [5]) }
    }
    #expect(function.shape == .variable)
    // Both displacements are 0x100, from the ends of instructions of seven bytes.
    let addresses: [UInt64] = [0x1107, 0x1195]
    #expect(function.variables.map(\.address) == addresses)
    #expect(function.variables.map(\.initialValue) == [5, 5])
  }

  @Test("counts that the caller brings in registers")
  func caller() throws {
    let function = try SequenceCode(outerLoad: [], innerLoad: [0x89, 0xD0]).function()
    #expect(function.shape == .caller)
    #expect(function.callerRegisters.outer == ecx)
    #expect(function.callerRegisters.inner?.name == "edx")
  }

  @Test("a count made in another way leaves the shape unknown")
  func unknown() throws {
    // imul $5, %edx, %ecx
    let function = try SequenceCode(outerLoad: [0x6B, 0xCA, 5]).function()
    #expect(function.shape == nil)
    #expect(function.unclear != nil)
  }

  @Test("without LFENCE there is no barrier; incssp is none")
  func barrier() throws {
    #expect(try SequenceCode(ending: [0x90]).function().barrier == false)
    #expect(try SequenceCode(ending: [0xF3, 0x48, 0x0F, 0xAE, 0xE8]).function().barrier == false)
    // je over the fence
    #expect(try SequenceCode(ending: [0x74, 3, 0x0F, 0xAE, 0xE8]).function().barrier == false)
  }

  @Test("what cannot be followed proves nothing")
  func incomplete() throws {
    let bad = try SequenceCode(ending: [0x06]).function()
    #expect(!bad.isFullyDecoded)
    #expect(bad.barrier == nil)
    let indirect = try SequenceCode(ending: [0xFF, 0xE0]).function()
    #expect(!indirect.isFullyDecoded)
    #expect(indirect.barrier == nil)
  }

  @Test("code that is cut off anywhere is read without a crash")
  func truncated() throws {
    let decoder = try Decoder()
    let bytes = SequenceCode().bytes(at: 0x1000)
    for count in 0..<bytes.count {
      let code = bytes.withUnsafeBytes {
        FunctionCode(
          UnsafeRawBufferPointer(rebasing: $0[..<count]), at: 0x1000, thunks: [], decoder)
      }
      // A branch behind the end looks like one to another function, which is not followed.
      #expect(code.passesBarrier == nil)
      _ = SequenceFunction("clear_bhb_loop", code, entries: []) { _ in nil }
    }
  }

  @Test("a jump to the return thunk is a return that will end at its first byte")
  func thunk() throws {
    let decoder = try Decoder()
    var code = Assembly(at: 0x1020)
    code.branch(0xE9, to: 0x1030)
    code.pad(to: 16)
    code.emit(0x90)
    let function = code.bytes.withUnsafeBytes {
      FunctionCode($0, at: 0x1020, thunks: [0x1030], decoder)
    }
    #expect(function.size == 5)
    #expect(function.returnEnds.map(\.lastByte) == [0x1020])
    #expect(function.passesBarrier == false)
  }

  @Test("counts come from how often the branches, or their blocks, ran")
  func counting() throws {
    let loops = try #require(try SequenceCode().function().loops)
    let byJump = loops.counts(from: [loops.outerJump: 12, loops.innerJump: 84])
    #expect(byJump?.outer == 12)
    #expect(byJump?.inner == 7)
    let byBlock = loops.counts(from: [loops.outer.block: 5, loops.inner.block: 25])
    #expect(byBlock?.outer == 5)
    #expect(byBlock?.inner == 5)
    #expect(loops.counts(from: [loops.outerJump: 5, loops.innerJump: 26]) == nil)
    #expect(loops.counts(from: [loops.outerJump: 0, loops.innerJump: 0]) == nil)
    #expect(loops.counts(from: [:]) == nil)
  }

  @Test("one loop alone is no sequence")
  func oneLoop() throws {
    let decoder = try Decoder()
    let bytes: [UInt8] = [0xB9, 5, 0, 0, 0, 0x83, 0xE9, 1, 0x75, 0xFB, 0xC3]
    let code = bytes.withUnsafeBytes { FunctionCode($0, at: 0x1000, thunks: [], decoder) }
    #expect(LoopStructure(code) == nil)
  }
}
