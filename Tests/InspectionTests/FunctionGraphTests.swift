import Alternatives
import Testing

@testable import Inspection

@Suite("Where the ways through a function come together")
struct FunctionGraphTests {
  private func joins(_ edges: [(Int, Int)]) -> [Int: Int] {
    var graph = FunctionGraph()
    for (from, to) in edges { graph.add(from: from, to: to) }
    return graph.joins()
  }

  @Test("a branch joins behind both of its ways; what goes one way only is no branch")
  func diamond() {
    #expect(joins([(0, 1), (1, 2), (1, 3), (2, 4), (3, 4), (4, FunctionGraph.exit)]) == [1: 4])
  }

  @Test("a loop's branch joins behind the loop")
  func loop() {
    #expect(joins([(0, 1), (1, 0), (1, 2), (2, FunctionGraph.exit)]) == [1: 2])
  }

  @Test("ways that return apart join nowhere")
  func returns() {
    let exit = FunctionGraph.exit
    #expect(joins([(0, 1), (0, 2), (1, exit), (2, exit)]) == [0: exit])
  }

  @Test("a branch within a branch joins first")
  func nested() {
    #expect(
      joins([
        (0, 1), (0, 5), (1, 2), (1, 3), (2, 4), (3, 4), (4, 5), (5, FunctionGraph.exit),
      ]) == [0: 5, 1: 4])
  }
}

@Suite("The registers of an instruction")
struct RegisterUseTests {
  private func use(_ bytes: [UInt8]) throws -> RegisterUse {
    let decoder = try Decoder()
    return try #require(bytes.withUnsafeBytes { decoder.registers(of: $0, at: 0x1000) })
  }

  @Test("operands, implicit registers and flags; a part of a register replaces nothing")
  func registers() throws {
    // mov %eax, %ecx
    #expect(try use([0x89, 0xC1]) == RegisterUse(reads: 1 << 0, writes: 1 << 1, replaces: 1 << 1))
    // mov $5, %cl
    #expect(try use([0xB1, 5]) == RegisterUse(reads: 0, writes: 1 << 1, replaces: 0))
    // cpuid
    let cpuid = try use([0x0F, 0xA2])
    #expect(cpuid.reads == 0b11)
    #expect(cpuid.writes == 0b1111)
    // je
    #expect(try use([0x74, 0]).reads & RegisterUse.flags != 0)
    // cmp (%rbx), %eax
    let compare = try use([0x3B, 0x03])
    #expect(compare.reads == 1 << 0 | 1 << 3)
    #expect(compare.writes == RegisterUse.flags)
    // xor %eax, %eax: whatever it was
    #expect(try use([0x31, 0xC0]).reads == 0)
  }

  @Test("test writes no register; a conditional move may leave what was there")
  func versions() throws {
    // test $0x1f, %al; test $1, %eax
    for code: [UInt8] in [[0xA8, 0x1F], [0xA9, 1, 0, 0, 0]] {
      let test = try use(code)
      #expect(test.reads & 1 == 1)
      #expect(test.writes == RegisterUse.flags)
      #expect(test.replaces == RegisterUse.flags)
    }
    // cmove %ecx, %eax; cmovs %rdx, %r8
    let equal = try use([0x0F, 0x44, 0xC1])
    #expect(equal.reads == 1 << 0 | 1 << 1 | RegisterUse.flags)
    #expect(equal.writes == 1 << 0)
    #expect(try use([0x4C, 0x0F, 0x48, 0xC2]).reads == 1 << 8 | 1 << 2 | RegisterUse.flags)
  }
}
