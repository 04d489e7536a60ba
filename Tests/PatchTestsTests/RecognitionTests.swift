import Inspection
import KernelImage
import Mitigation
import Testing

@testable import PatchTests

@Suite("What a patch touches") struct RecognitionTests {
  @Test func ourSeries() throws {
    let found = PatchRecognizer(try Series.ours())
    let places = Dictionary(grouping: found.hunks, by: \.file).mapValues { hunks in
      Set(hunks.flatMap(\.subjects))
    }
    #expect(places["arch/x86/entry/entry_64.S"] == [.sequence, .documentation])
    #expect(places["arch/x86/entry/entry_64_fred.S"] == [.site])
    #expect(places["arch/x86/entry/common.c"] == [.documentation])
    #expect(places["arch/x86/include/asm/cpufeatures.h"] == [.feature])
    #expect(places["arch/x86/include/uapi/asm/kvm_para.h"] == [.cpuid])
    #expect(places["arch/x86/kvm/x86.c"] == [.kvm])
    #expect(
      places["arch/x86/kernel/cpu/bugs.c"]?
        .isSuperset(of: [.selection, .sysfs, .commandLine, .cpuid]) == true)
    #expect(found.hunks.allSatisfy { $0.placement == .placed })
  }

  @Test func itsConstantsAreTheContract() throws {
    let found = PatchRecognizer(try Series.ours())
    let contract = try #require(found.bits.contract)
    #expect(contract.signature == "KVMKVMKVM" && contract.offset == "0x1")
    #expect(contract.register == "edx")
    #expect(contract.shortAdequate == 1 && contract.longRequired == 2)
    #expect(
      found.definitions.map(\.name) == [
        "X86_FEATURE_CLEAR_BHB_SHORT", "KVM_HINTS_BHB_SHORT_ADEQUATE",
        "KVM_HINTS_BHB_LONG_REQUIRED", "KVM_CAP_X86_BHB_HINTS",
      ])
    #expect(
      found.commandLines.map(\.line) == ["spectre_bhi=long", "spectre_bhi=vmexit,long"])
  }

  @Test func otherConstantsAreOtherContracts() throws {
    let feature = Series.patch(
      "arch/x86/include/uapi/asm/kvm_para.h",
      ["+#define KVM_FEATURE_BHB_SHORT_ADEQUATE\t19", " #define KVM_HINTS_REALTIME 0"])
    let contract = try #require(PatchRecognizer(try Series.read(feature)).bits.contract)
    #expect(contract.register == "eax" && contract.shortAdequate == 19)
    #expect(contract.longRequired == nil)

    let register = Series.patch(
      "arch/x86/include/asm/msr-index.h",
      [
        "+#define MSR_VIRTUAL_BHB_ENUM\t0x50000001", "+#define BHB_SHORT_ADEQUATE\tBIT_ULL(3)",
        " ",
      ])
    let virtual = try #require(PatchRecognizer(try Series.read(register)).bits.contract)
    #expect(virtual.msr == "0x50000001" && virtual.shortAdequate == 3)
  }

  @Test func whatIsNotUnderstoodIsSaid() throws {
    let text = Series.patch(
      "arch/x86/include/uapi/asm/kvm_para.h",
      ["+#define KVM_HINTS_BHB_PURPLE 3", "+#define KVM_HINTS_BHB_SHORT FOO(1)", " "])
    let found = PatchRecognizer(try Series.read(text))
    #expect(found.definitions.count == 2)
    #expect(found.definitions.allSatisfy { $0.taken.hasPrefix("not understood") })
    #expect(found.bits.contract == nil)
  }

  @Test func hunksOutsideTheArea() throws {
    let outside = Series.patch("drivers/net/foo.c", [" x", "-y", "+z"])
    let strange = Series.patch("drivers/net/foo.c", [" x", "+clear_bhb_loop();"])
    let hunks = PatchRecognizer(try Series.read(outside + strange)).hunks
    #expect(hunks.map(\.placement) == [.outOfScope, .unplaced])
    #expect(hunks.allSatisfy { !$0.reason.isEmpty })
  }

  @Test(
    arguments: [
      ("5", 5), ("0x10", 16), ("BIT(3)", 3), ("(21 * 32 + 21)", 693), ("( 1*32+ 2)", 34),
      ("4UL", 4), ("x", nil), ("1 << 3", nil), ("-1", nil), ("99999999999", nil), ("", nil),
      ("4000000000*4000000000*4000000000", nil),
    ] as [(String, Int?)])
  func values(text: String, value: Int?) {
    #expect(DefinedBits.value(text) == value)
  }

  @Test func aSeriesTheWrongWayRound() throws {
    let text = Series.patch(
      "arch/x86/include/uapi/asm/kvm_para.h", ["-#define KVM_HINTS_BHB_SHORT_ADEQUATE 1", " x"])
    let error = #expect(throws: PatchError.self) {
      try ReversedPatch.refuse(try Series.read(text), before: nil, after: nil)
    }
    #expect(error?.line == 5)
    #expect(error?.message.contains("reversed") == true)
    try ReversedPatch.refuse(try Series.ours(), before: nil, after: nil)
  }

  /// A feature that goes, while sites of the build hang on it.
  @Test func takingAwayWhatTheBuildUses() throws {
    let number = Series.patch(
      "arch/x86/include/asm/cpufeatures.h",
      ["-#define X86_FEATURE_CLEAR_BHB_SHORT\t(21 * 32 + 21) /* x */", " x"])
    #expect(DefinedBits.feature("#define X86_FEATURE_CLEAR_BHB_SHORT (21 * 32 + 21)") == 693)
    #expect(DefinedBits.feature("#define X86_FEATURE_FOO (21 * 32 + 21)") == nil)
    let sample = Sample.long.artefact
    let site = Site(
      entryPoint: .syscall64, kind: .alternative, image: "vmlinux", address: Address(0),
      symbol: nil, section: nil, feature: FeatureReference(number: 693, name: nil), original: nil,
      replacement: nil, target: nil)
    let kernel = try KernelImage(sample)
    let error = #expect(throws: PatchError.self) {
      try ReversedPatch.refuse(
        try Series.read(number), before: nil, after: kernel, sites: [site])
    }
    #expect(error?.line == 5)
    try ReversedPatch.refuse(try Series.read(number), before: nil, after: kernel)
  }
}
