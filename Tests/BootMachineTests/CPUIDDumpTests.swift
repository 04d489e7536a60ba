import BootMachine
import Testing

@Suite("CPUID dumps")
struct CPUIDDumpTests {
  static let cpuidTool = """
    CPU 0:
       0x00000000 0x00: eax=0x00000016 ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69
       0x00000001 0x00: eax=0x00050654 ebx=0x00010800 ecx=0x7ffefbff edx=0xbfebfbff
       0x00000007 0x00: eax=0x00000002 ebx=0xd39ffffb ecx=0x00000008 edx=0xbc000400
       0x00000007 0x02: eax=0x00000000 ebx=0x00000000 ecx=0x00000000 edx=0x00000010
       0x80860000 0x00: eax=0x00000000 ebx=0x00000000 ecx=0x00000000 edx=0x00000000
    CPU 1:
       0x00000000 0x00: eax=0x00000003 ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69
       0x00000003 0x00: eax=0x00000001 ebx=0x00000000 ecx=0x00000000 edx=0x00000000
    """

  static let aida64 = """
    ------[ CPU Info ]------\r
    CPUID Manufacturer: GenuineIntel\r
    CPUID CPU Name    : Some CPU\r
    ------[ CPUID Registers / Logical CPU #0 ]------\r
    CPUID 00000000: 00000016-756E6547-6C65746E-49656E69 [GenuineIntel]\r
    CPUID 00000001: 000906A4-00200800-7FFAFBBF-BFEBFBFF\r
    CPUID 00000007: 00000001-F3BFA7EB-98C05FEE-FC984510 [SL 00]\r
    CPUID 0000000D: 00000003-00000004-00000005-00000006 [x87] [SL 0B]\r
    CPUID 80000002: 656D6F53-55504320-00000000-00000000 [Some CPU]\r
    CPUID 80000003: 00000000-00000000-00000000-00000000\r
    CPUID 80000004: 00000000-00000000-00000000-00000000\r
    MSR 00000048: < FAILED >\r
    MSR 0000010A: 0000-0000-0008-E16B\r
    ------[ CPUID Registers / Logical CPU #1 ]------\r
    CPUID 00000003: 00000001-00000000-00000000-00000000\r
    """

  @Test("reads what `cpuid -r` writes, the first processor only")
  func readsCpuidTool() throws {
    let processor = try CPUIDDump.parse(Self.cpuidTool, name: "mine")
    #expect(processor.id == "mine")
    #expect(processor.vendor == .intel)
    #expect((processor.family, processor.model, processor.stepping) == (6, 0x55, 4))
    #expect(processor.cpuid.entries.count == 5)
    #expect(processor.showsBHIControl)
    #expect(processor.cpuid[3, 0] == nil)
    #expect(processor.given == ["CPUID: mine"])
    #expect(processor.derived.isEmpty)
  }

  @Test("reads what AIDA64 writes, its registers too")
  func readsAIDA64() throws {
    let processor = try CPUIDDump.parse(Self.aida64, name: "theirs")
    #expect(processor.title == "Some CPU")
    #expect(processor.model == 0x9A)
    #expect(processor.cpuid[0xD, 0xB]?.edx == 6)
    #expect(processor.cpuid[3, 0] == nil)
    #expect(processor.msrs == [0x10A: 0x8E16B])
    #expect(processor.hasEnhancedIBRS == true)
    #expect(!processor.showsBHIControl)
  }

  @Test("numbers the subleaves of old dumps in their order")
  func oldDumps() throws {
    let processor = try CPUIDDump.parse(
      """
      CPUID 00000000: 0000000B-756E6547-6C65746E-49656E69
      CPUID 00000001: 000106A1-00100800-00BCE3BD-B7EBFBFF
      CPUID 00000004: 00000001-00000000-00000000-00000000
      CPUID 00000004: 00000002-00000000-00000000-00000000
      CPUID 00000000: 0000000B-756E6547-6C65746E-49656E69
      CPUID 00000004: 00000003-00000000-00000000-00000000
      """, name: "old")
    #expect(processor.cpuid[4, 0]?.eax == 1)
    #expect(processor.cpuid[4, 1]?.eax == 2)
    #expect(processor.cpuid[4, 2] == nil)
  }

  @Test(
    "says which line is wrong",
    arguments: [
      ("CPU 0:\n   0x00000000 0x00: eax=0x1 ebx=zz ecx=0x0 edx=0x0", 2),
      ("0x00000000 0x00 eax=0x1", 1),
      ("\n\nCPUID 00000000: 0000000B-756E6547-6C65746E", 3),
      ("CPUID 00000000: 0000000B-756E6547-6C65746E-49656E69 [SL xx]", 1),
      ("0x00000000 0x00: eax=0x123456789 ebx=0x0 ecx=0x0 edx=0x0", 1),
    ])
  func malformed(_ text: String, _ line: Int) {
    let error = #expect(throws: DumpError.self) { try CPUIDDump.parse(text, name: "bad") }
    #expect(error?.line == line)
    #expect(error?.description.hasPrefix("bad:\(line): ") == true)
  }

  @Test("refuses what holds no processor")
  func nothingInIt() {
    for text in ["", "hello\nworld\n", "CPUID 00000002: 00000001-00000000-00000000-00000000"] {
      let error = #expect(throws: DumpError.self) { try CPUIDDump.parse(text, name: "x") }
      #expect(error?.line == nil)
    }
  }

  @Test("refuses more answers than a processor has")
  func tooMany() {
    var text = ""
    for subleaf in 0..<5000 {
      text += "0x00000004 0x\(String(subleaf, radix: 16)): eax=0x0 ebx=0x0 ecx=0x0 edx=0x0\n"
    }
    #expect(throws: DumpError.self) { try CPUIDDump.parse(text, name: "long") }
  }
}
