import Testing

@testable import Inspection

@Suite("The parts of an instruction")
struct InstructionEncodingTests {
  @Test(
    "immediates by what is done with them",
    arguments: [
      ([0x83, 0xF8, 0x06], InstructionEncoding.Family.compare),  // cmp $6, %eax
      ([0x80, 0x3D, 0, 0, 0, 0, 0x05], .compare),  // cmpb $5, x(%rip)
      ([0x48, 0x3D, 0, 1, 0, 0], .compare),  // cmp $0x100, %rax
      ([0xF6, 0x05, 0, 0, 0, 0, 0x10], .test),  // testb $0x10, x(%rip)
      ([0xF7, 0xD8], .other),  // neg %eax
      ([0x0F, 0xBA, 0xE0, 0x1F], .bitTest),  // bt $31, %eax
      ([0xF0, 0x48, 0x0F, 0xBA, 0x2D, 0, 0, 0, 0, 1], .bitSet),  // lock bts $1, x(%rip)
      ([0x83, 0xE0, 0xFE], .and), ([0x83, 0xC8, 0x02], .or),
      ([0xB9, 5, 0, 0, 0], .move),  // mov $5, %ecx
    ] as [([UInt8], InstructionEncoding.Family)])
  func families(_ bytes: [UInt8], _ family: InstructionEncoding.Family) throws {
    #expect(try #require(InstructionEncoding(bytes)).immediateFamily == family)
  }

  @Test("conditions are Jcc, SETcc and CMOVcc, and nothing beside them")
  func conditions() throws {
    for bytes: [UInt8] in [
      [0x74, 0x05], [0x0F, 0x84, 0, 0, 0, 0], [0x0F, 0x94, 0xC0], [0x0F, 0x44, 0xC1],
      [0x41, 0x0F, 0x95, 0xC0],
    ] { #expect(try #require(InstructionEncoding(bytes)).isConditional) }
    for bytes: [UInt8] in [[0xEB, 0x05], [0x0F, 0xA2], [0x0F, 0xAE, 0xE8], [0x44, 0x89, 0xC0]] {
      #expect(try !#require(InstructionEncoding(bytes)).isConditional)
    }
  }

  @Test("a store is one only with a memory operand")
  func stores() throws {
    #expect(try #require(InstructionEncoding([0x89, 0x05, 0, 0, 0, 0])).storesOnly)
    #expect(try #require(InstructionEncoding([0xF0, 0x80, 0x0D, 0, 0, 0, 0, 2])).storesOnly)
    #expect(try !#require(InstructionEncoding([0x89, 0xC3])).storesOnly)
    #expect(try !#require(InstructionEncoding([0x8B, 0x05, 0, 0, 0, 0])).storesOnly)
    #expect(try !#require(InstructionEncoding([0x80, 0x3D, 0, 0, 0, 0, 5])).storesOnly)
  }

  @Test("cut-off code has no parts; NOPs fill any length")
  func edges() {
    #expect(InstructionEncoding([]) == nil)
    #expect(InstructionEncoding([0x66, 0x0F]) == nil)
    for count in 0...20 { #expect(Padding.nops(count).count == count) }
  }
}
