import BootMachine
import Inspection
import Mitigation
import Testing

@Suite("Environments")
struct BootEnvironmentTests {
  let catalog: MatrixCatalog

  init() throws { catalog = try MatrixCatalog.standard() }

  func seen(_ cpu: String, _ environment: String) throws -> Processor {
    let processor = try #require(catalog.processors.processor(id: cpu))
    let environment = try #require(catalog.environment(id: environment))
    return try environment.apply(to: processor, catalog: catalog.processors)
  }

  @Test("are consistent in themselves, on every processor they are for")
  func consistency() throws {
    let ids = catalog.environments.map(\.id)
    #expect(Set(ids).count == ids.count)
    for environment in catalog.environments {
      let processors = catalog.processors.processors.filter(environment.applies(to:))
      #expect(!processors.isEmpty, "\(environment.id)")
      for processor in processors {
        let seen = try environment.apply(to: processor, catalog: catalog.processors)
        #expect(seen.cpuid.showsHypervisor == environment.knowsItIsGuest, "\(environment.id)")
        if let hypervisor = environment.hypervisor {
          #expect(seen.hypervisorSignature(at: hypervisor.base) == hypervisor.signature)
          let highest = seen.cpuid.answer(leaf: hypervisor.base, subleaf: 0).eax
          #expect(highest > hypervisor.base && highest < hypervisor.base + 0x100)
        } else {
          #expect(!seen.cpuid.entries.contains { 0x4000_0000..<0x5000_0000 ~= $0.leaf })
        }
        if environment.id.hasSuffix("-no-bhi-ctrl") { #expect(!seen.showsBHIControl) }
      }
    }
  }

  @Test("bare metal leaves a processor as its profile has it")
  func bareMetal() throws {
    let processor = try #require(catalog.processors.processor(id: "sapphire-rapids"))
    let seen = try seen("sapphire-rapids", "bare-metal")
    #expect(seen.cpuid == processor.cpuid)
    #expect(seen.msrs == processor.msrs)
    #expect(seen.affected == true)
  }

  @Test("KVM beside Hyper-V has its leaves 0x100 further on")
  func besideHyperV() throws {
    let seen = try seen("ice-lake-sp", "kvm-beside-hyperv")
    #expect(seen.hypervisorSignature(at: 0x4000_0000) == "Microsoft Hv")
    #expect(seen.hypervisorSignature(at: 0x4000_0100) == "KVMKVMKVM")
    #expect(seen.cpuid.answer(leaf: 0x4000_0101, subleaf: 0).eax == 0x0100_7EFB)
    let environment = BootEnvironment.asDumped(seen)
    #expect(environment.isGuest)
    #expect(environment.hypervisor?.base == 0x4000_0100)
  }

  @Test("a guest may be shown an older processor than it runs on")
  func masquerade() throws {
    let seen = try seen("sapphire-rapids", "kvm-shows-haswell")
    #expect(seen.id == "sapphire-rapids")
    #expect(seen.model == 0x3F)
    #expect(!seen.showsBHIControl)
    // An old model is no statement about the hardware below: it stays affected.
    #expect(seen.affected == true)
  }

  @Test("the kernel before kexec left SPEC_CTRL set")
  func kexec() throws {
    #expect(try seen("sapphire-rapids", "kexec").msr(MSRIndex.specCtrl) == 0x401)
  }

  @Test("RRSBA can be hidden, in CPUID and in the register")
  func hiddenRRSBA() throws {
    let seen = try seen("sapphire-rapids", "kvm-no-rrsba")
    #expect(!seen.cpuid.isSet(leaf: 7, subleaf: 2, register: .edx, bit: 2))
    #expect((seen.msr(MSRIndex.archCapabilities) ?? 0) >> 19 & 1 == 0)
  }

  @Test("confidential guests are recognised, in a dump too")
  func confidential() throws {
    let tdx = try seen("sapphire-rapids", "kvm-tdx")
    #expect(BootEnvironment.asDumped(tdx).confidential == .tdx)
    #expect(tdx.cpuid[0, 0]?.eax ?? 0 >= 0x21)
    let snp = try seen("zen3", "kvm-sev-snp")
    #expect(BootEnvironment.asDumped(snp).confidential == .sevSNP)
    #expect(BootEnvironment.asDumped(try seen("zen3", "kvm")).confidential == nil)
  }

  @Test("Xen PV says why it is not run")
  func xenPV() throws {
    #expect(try #require(catalog.environment(id: "xen-pv")).unsupported != nil)
    #expect(try #require(catalog.environment(id: "xen-hvm")).unsupported == nil)
  }

  @Test("a user's environment extends ours, or takes its place")
  func overrides() throws {
    let text = """
      {"environments": [
        {"id": "cloud", "title": "our cloud", "extends": "kvm", "operations": [
          {"op": "set-bits", "leaf": "0x40000001", "register": "edx", "bits": [0], "reason": "x"}]},
        {"id": "kexec", "title": "ours", "guest": false}]}
      """
    let own = try MatrixCatalog.standard(overrides: [
      DataFile(kind: .environments, path: "mine/environments.json", bytes: Array(text.utf8))
    ])
    let cloud = try #require(own.environment(id: "cloud"))
    #expect(cloud.isGuest)
    #expect(cloud.hypervisor?.signature == "KVMKVMKVM")
    #expect(own.environment(id: "kexec")?.title == "ours")
    #expect(own.environments.count == catalog.environments.count + 1)
    #expect(own.overrides.map(\.path) == ["mine/environments.json"])
  }

  @Test(
    "says what is wrong with a file",
    arguments: [
      (#"{"id": "a", "title": "", "extends": "none"}"#, "extends none"),
      (#"{"id": "a", "title": "", "operations": [{"op": "none"}]}"#, "no operation none"),
      (
        #"{"id": "a", "title": "", "operations": [{"op": "set-bits", "leaf": "1", "#
          + #""register": "ecx", "bits": [32]}]}"#, "no bit 32"
      ),
      (
        #"{"id": "a", "title": "", "operations": [{"op": "remove-leaves", "first": "2", "#
          + #""last": "1"}]}"#, "ends before it begins"
      ),
    ])
  func malformed(_ environment: String, _ part: String) {
    let text = "{\"environments\": [\(environment)]}"
    let error = #expect(throws: DataError.self) {
      try MatrixCatalog.standard(overrides: [
        DataFile(kind: .environments, path: "my.json", bytes: Array(text.utf8))
      ])
    }
    #expect(error?.description.contains(part) == true, "\(error?.description ?? "")")
  }

  @Test("an environment that shows an unknown processor is refused where it is used")
  func unknownShown() throws {
    let text = """
      {"environments": [{"id": "a", "title": "", "operations": [
        {"op": "show-cpu", "cpu": "none", "reason": "x"}]}]}
      """
    let own = try MatrixCatalog.standard(overrides: [
      DataFile(kind: .environments, path: "my.json", bytes: Array(text.utf8))
    ])
    #expect(throws: DataError.self) {
      try Matrix.standard(own, filter: MatrixFilter(processors: ["zen3"], environments: ["a"]))
    }
  }
}
