import BootMachine
import Testing

/// Leaf 0 of a maker, with the highest basic leaf.
func leaf0(_ vendor: ProcessorVendor, highest: UInt32) -> CPUIDRegisters {
  let bytes = Array(vendor.rawValue.utf8)
  func word(_ start: Int) -> UInt32 {
    (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) }
  }
  return CPUIDRegisters(eax: highest, ebx: word(0), ecx: word(8), edx: word(4))
}

@Suite("What a processor answers to CPUID")
struct CPUIDTableTests {
  let marked = CPUIDRegisters(eax: 0xA, ebx: 0xB, ecx: 0xC, edx: 0xD)

  func table(_ vendor: ProcessorVendor, highest: UInt32 = 0x16) -> CPUIDTable {
    var table = CPUIDTable()
    table.set(leaf: 0, registers: leaf0(vendor, highest: highest))
    table.set(leaf: 1, registers: CPUIDRegisters(eax: 0x50654))
    table.set(leaf: highest, registers: marked)
    table.set(leaf: 0x8000_0000, registers: CPUIDRegisters(eax: 0x8000_0008))
    return table
  }

  @Test("names the maker", arguments: ProcessorVendor.allCases)
  func vendor(_ vendor: ProcessorVendor) {
    #expect(table(vendor).vendor == vendor)
  }

  @Test("a leaf that is not indexed ignores ECX", arguments: [0, 1, 0x16] as [UInt32])
  func notIndexed(_ leaf: UInt32) {
    let table = table(.intel)
    #expect(table.answer(leaf: leaf, subleaf: 77) == table[leaf, 0])
  }

  @Test(
    "an absent subleaf of an indexed leaf answers zeros",
    arguments: [4, 7, 0xD, 0xF, 0x10, 0x12, 0x14, 0x17, 0x18, 0x1D, 0x23, 0x24, 0x8000_001D]
      as [UInt32])
  func absentSubleaf(_ leaf: UInt32) {
    var table = table(.intel, highest: 0x30)
    table.set(leaf: leaf, registers: marked)
    #expect(table.answer(leaf: leaf, subleaf: 0) == marked)
    #expect(table.answer(leaf: leaf, subleaf: 9) == .zero)
  }

  @Test(
    "a topology leaf ends its list with the input in ECX and the id in EDX",
    arguments: [0xB, 0x1F, 0x8000_0026] as [UInt32])
  func topologyEnds(_ leaf: UInt32) {
    var table = table(.amd, highest: 0x1F)
    table.set(leaf: leaf, registers: marked)
    #expect(
      table.answer(leaf: leaf, subleaf: 0x105) == CPUIDRegisters(ecx: 5, edx: marked.edx))
  }

  @Test("several subleaves in the table prove that ECX counts")
  func indexedByContent() {
    var table = table(.intel, highest: 0x60)
    table.set(leaf: 0x55, registers: marked)
    #expect(table.answer(leaf: 0x55, subleaf: 3) == marked)
    table.set(leaf: 0x55, subleaf: 1, registers: marked)
    #expect(table.answer(leaf: 0x55, subleaf: 3) == .zero)
  }

  @Test("Intel answers a leaf beyond its range with the highest basic one")
  func intelOutOfRange() {
    let table = table(.intel)
    for leaf in [0x17, 0x100, 0x8000_0009, 0x8086_0000, 0xC000_0000] as [UInt32] {
      #expect(table.answer(leaf: leaf, subleaf: 0) == marked, "leaf \(leaf)")
    }
  }

  @Test("beyond the range too, the highest basic leaf heeds ECX")
  func intelOutOfRangeIndexed() {
    let table = table(.intel, highest: 0xD)
    #expect(table.answer(leaf: 0x20, subleaf: 0) == marked)
    #expect(table.answer(leaf: 0x20, subleaf: 1) == .zero)
  }

  @Test("AMD and Hygon answer a leaf beyond their range with zeros")
  func amdOutOfRange() {
    for vendor in [.amd, .hygon] as [ProcessorVendor] {
      for leaf in [0x17, 0x4000_0000, 0x8000_0030] as [UInt32] {
        #expect(table(vendor).answer(leaf: leaf, subleaf: 0) == .zero)
      }
    }
  }

  @Test("a leaf inside the range that is not known answers zeros")
  func insideTheRange() {
    #expect(table(.intel).answer(leaf: 0x8, subleaf: 0) == .zero)
    #expect(table(.intel).answer(leaf: 0x8000_0007, subleaf: 0) == .zero)
  }

  @Test("the hypervisor's range: zeros in a guest, out of range on bare metal")
  func hypervisorRange() {
    var table = table(.intel)
    #expect(table.answer(leaf: 0x4000_0000, subleaf: 0) == marked)
    table.set(leaf: 1, registers: CPUIDRegisters(eax: 0x50654, ecx: 1 << 31))
    #expect(table.showsHypervisor)
    #expect(table.answer(leaf: 0x4000_0000, subleaf: 0) == .zero)
  }

  @Test("an empty table answers zeros")
  func empty() {
    #expect(CPUIDTable().answer(leaf: 0, subleaf: 0) == .zero)
    #expect(CPUIDTable().answer(leaf: .max, subleaf: .max) == .zero)
    #expect(CPUIDTable().vendor == nil)
  }

  @Test("a table without its own highest leaf does not go round in circles")
  func highestLeafMissing() {
    var table = CPUIDTable()
    table.set(leaf: 0, registers: leaf0(.intel, highest: 0x20))
    #expect(table.answer(leaf: 0x21, subleaf: 0) == .zero)
    table.set(leaf: 0, registers: leaf0(.intel, highest: .max))
    #expect(table.answer(leaf: 0x9000_0000, subleaf: 0) == .zero)
  }

  @Test("removing leaves forgets what they said")
  func removal() {
    var table = table(.intel)
    table.set(leaf: 1, registers: CPUIDRegisters(ecx: 1 << 31))
    table.remove(leaves: 0...1)
    #expect(!table.showsHypervisor)
    #expect(table.vendor == nil)
    #expect(table[0, 0] == nil)
  }
}
