import BootMachine
import Testing

@Suite("The processors that are compiled in")
struct ProcessorCatalogTests {
  let catalog: ProcessorCatalog

  init() throws { catalog = try ProcessorCatalog.standard() }

  func processor(_ id: String) throws -> Processor {
    try #require(catalog.processor(id: id))
  }

  @Test("are many, with unique ids")
  func ids() {
    let ids = catalog.processors.map(\.id)
    #expect(ids.count >= 24)
    #expect(Set(ids).count == ids.count)
  }

  @Test("are consistent in themselves")
  func consistency() throws {
    for processor in catalog.processors {
      let leaf0 = try #require(processor.cpuid[0, 0])
      let highestExtended = processor.cpuid[0x8000_0000, 0]?.eax ?? 0
      #expect(processor.vendor != nil, "\(processor.id)")
      #expect(processor.signature != 0, "\(processor.id)")
      #expect(!processor.cpuid.showsHypervisor, "\(processor.id)")
      #expect(!processor.derived.isEmpty, "\(processor.id)")
      #expect(processor.affected != nil, "\(processor.id)")
      #expect(processor.affectedSource != nil, "\(processor.id)")
      for entry in processor.cpuid.entries {
        switch entry.leaf {
        case 0..<0x4000_0000: #expect(entry.leaf <= leaf0.eax, "\(processor.id) \(entry.leaf)")
        case 0x8000_0000..<0xC000_0000:
          #expect(entry.leaf <= highestExtended, "\(processor.id) \(entry.leaf)")
        case 0xC000_0000...: #expect(processor.vendor == .centaur)
        default: Issue.record("\(processor.id): a leaf of a hypervisor")
        }
      }
      // A register exists exactly where CPUID says so.
      #expect(
        processor.enumeratesArchCapabilities == (processor.msrs[0x10A] != nil), "\(processor.id)")
      // Leaf 7 subleaf 2 counts only where subleaf 0 announces it.
      if processor.showsBHIControl {
        #expect(processor.cpuid[7, 0]?.eax ?? 0 >= 2, "\(processor.id)")
      }
    }
  }

  @Test("know what is older than Alder Lake, by a list and not by the number")
  func beforeAlderLake() throws {
    for id in ["haswell", "skylake-sp", "ice-lake-sp", "tiger-lake", "rocket-lake", "tremont"] {
      #expect(try processor(id).beforeAlderLake, "\(id)")
    }
    for id in [
      "alder-lake", "alder-lake-early-microcode", "raptor-lake", "sapphire-rapids", "gracemont",
      "sierra-forest", "panther-lake", "zen3",
    ] {
      #expect(try !processor(id).beforeAlderLake, "\(id)")
    }
  }

  @Test("say whether BHI affects them")
  func affected() throws {
    for id in ["haswell", "skylake-sp-ibrs", "goldmont", "zen2", "zen5", "hygon-dhyana"] {
      #expect(try processor(id).affected == false, "\(id)")
    }
    for id in ["cascade-lake", "ice-lake-sp", "sapphire-rapids", "alder-lake", "lunar-lake"] {
      #expect(try processor(id).affected == true, "\(id)")
    }
  }

  @Test("as a guest's processor, an Intel one counts as affected: enhanced IBRS may be hidden")
  func affectedAsGuest() throws {
    #expect(catalog.assessed(try processor("haswell"), asGuest: true).affected == true)
    #expect(catalog.assessed(try processor("zen3"), asGuest: true).affected == false)
  }

  @Test("Alder Lake's first microcode has no BHI_CTRL")
  func microcodeAges() throws {
    #expect(try !processor("alder-lake-early-microcode").showsBHIControl)
    #expect(try processor("alder-lake").showsBHIControl)
    #expect(try processor("panther-lake").cpuid.isSet(leaf: 7, subleaf: 1, register: .eax, bit: 17))
  }

  @Test("a dump gets ARCH_CAPABILITIES from the profile of its model")
  func completion() throws {
    var dump = try processor("ice-lake-sp")
    dump.id = "dump"
    dump.msrs = [:]
    dump.derived = []
    let completed = catalog.completed(dump)
    #expect(completed.msrs[0x10A] == (try processor("ice-lake-sp")).msrs[0x10A])
    #expect(completed.derived.contains { $0.contains("profile ice-lake-sp") })
    #expect(completed.affected == true)
    #expect(completed.beforeAlderLake)
  }

  @Test("nothing is derived from a relative that lacks the register itself")
  func noGuess() throws {
    // A Skylake-SP that shows the register is nearer to Skylake-SP, which has none, than to
    // Cascade Lake, which has the same model number and enhanced IBRS.
    var dump = try processor("skylake-sp-ibrs")
    var leaf = try #require(dump.cpuid[7, 0])
    leaf.edx |= 1 << 29
    dump.cpuid.set(leaf: 7, registers: leaf)
    let completed = catalog.completed(dump)
    #expect(completed.msrs[0x10A] == nil)
    #expect(completed.affected == nil)
  }

  @Test("nothing is derived where the user says what undefined registers hold")
  func noCompletion() throws {
    var dump = try processor("ice-lake-sp")
    dump.msrs = [:]
    dump.derived = []
    let completed = catalog.completed(dump, msrDefault: .value(0))
    #expect(completed.msrs.isEmpty)
    #expect(completed.derived.isEmpty)
    #expect(completed.msr(0x10A) == 0)
    #expect(completed.affected == false)
  }

  @Test("an unknown register leaves it open whether BHI affects a model")
  func unknown() throws {
    var dump = try processor("ice-lake-sp")
    dump.msrs = [:]
    #expect(dump.hasEnhancedIBRS == nil)
    #expect(catalog.assessed(dump).affected == nil)
  }

  @Test("names the bits of ARCH_CAPABILITIES")
  func bitNames() {
    #expect(catalog.archCapabilitiesNames(1 << 1 | 1 << 19) == ["IBRS_ALL", "RRSBA"])
    #expect(catalog.archCapabilitiesNames(1 << 60) == ["bit 60"])
  }

  @Test("a user's file adds and overrides by id")
  func overrides() throws {
    let text = """
      {"cpus": [{"id": "haswell", "title": "Mine", "microcode": "new", "source": ["me"],
        "leaves": ["0.0 1 756e6547 6c65746e 49656e69", "1.0 306f2 0 0 0"]},
       {"id": "new", "title": "New", "microcode": "new", "source": ["me"],
        "leaves": ["0.0 1 756e6547 6c65746e 49656e69", "1.0 306f2 0 0 0"],
        "msrs": [{"index": "0x8b", "value": "0x5"}]}]}
      """
    let own = try ProcessorCatalog.standard(overrides: [(file: "my.json", bytes: Array(text.utf8))])
    #expect(own.processors.count == catalog.processors.count + 1)
    #expect(own.processor(id: "haswell")?.title == "Mine")
    #expect(own.processor(id: "new")?.msrs == [0x8B: 5])
    #expect(own.processor(id: "new")?.beforeAlderLake == true)
  }

  @Test(
    "says what is wrong with a file",
    arguments: [
      ("{", "my.json: "), ("{}", "cpus"),
      (#"{"cpus": [{"id": "a"}]}"#, "title"),
      (
        #"{"cpus": [{"id": "a", "title": "", "microcode": "", "source": [], "leaves": ["1"]}]}"#,
        "LEAF.SUBLEAF"
      ),
      (
        #"{"cpus": [{"id": "a", "title": "", "microcode": "", "source": [], "leaves": []}]}"#,
        "leaf 0"
      ),
      (
        """
        {"cpus": [{"id": "a", "title": "", "template": "none", "microcode": "", "source": [],
        "leaves": []}]}
        """, "no template none"
      ),
    ])
  func malformed(_ text: String, _ part: String) {
    let error = #expect(throws: DataError.self) {
      try ProcessorCatalog.standard(overrides: [(file: "my.json", bytes: Array(text.utf8))])
    }
    #expect(error?.description.contains("my.json") == true)
    #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
  }
}
