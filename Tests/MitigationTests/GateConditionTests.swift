import Mitigation
import Testing

@Suite struct GateConditionTests {
  @Test(arguments: [
    "long-sequence", "detection", "detection=kvm-hint", "sites=syscall64,vmexit",
    "adequate=kvm*", "adequate=bare-metal,kvm-?",
  ])
  func isWrittenAsItIsRead(text: String) {
    #expect(GateCondition(text)?.text == text)
  }

  @Test(arguments: [
    "", "long", "long-sequence=yes", "detection=", "sites", "sites=", "sites=sysret",
    "sites=syscall64,sysret", "adequate", "adequate=", "Detection",
  ])
  func anythingElseIsNone(text: String) {
    #expect(GateCondition(text) == nil)
  }

  @Test func longSequence() {
    var image = image()
    #expect(isUnknown(.longSequence, image))
    image.sequence = .absent
    #expect(isUnmet(.longSequence, image))
    image.sequence = sequence([SequenceVariant(outer: 5, inner: 5, selectedBy: "always")])
    #expect(isUnmet(.longSequence, image))
    image.sequence = sequence([SequenceVariant(selectedBy: "its callers")])
    #expect(isUnknown(.longSequence, image))
    image.sequence = sequence([
      SequenceVariant(outer: 5, inner: 5, selectedBy: "always"),
      SequenceVariant(outer: 12, inner: 7, selectedBy: "a feature"),
    ])
    #expect(GateCondition.longSequence.result(in: image) == .met)
  }

  @Test func detection() {
    let any = GateCondition.detection(contract: nil)
    let hint = GateCondition.detection(contract: "kvm-hint")
    var image = image()
    #expect(isUnknown(any, image))
    image.bits = []
    #expect(isUnmet(any, image))
    image.bits = [bit(meaning: nil, contract: nil)]
    #expect(isUnmet(any, image))
    image.bits = [bit(meaning: .shortAdequate, contract: "other")]
    #expect(any.result(in: image) == .met)
    #expect(isUnmet(hint, image))
    image.bits = [bit(meaning: .shortAdequate, contract: "kvm-hint")]
    #expect(hint.result(in: image) == .met)
  }

  @Test func sites() {
    let condition = GateCondition.sites([.syscall64, .vmexit])
    var image = image()
    image.sites = [site(.syscall64, .alternative), site(.vmexit, .inside)]
    #expect(
      condition.result(in: image) == .unmet(because: "no site at vmexit"))
    image.unknownSites = [.vmexit]
    #expect(isUnknown(condition, image))
    image.sites.append(site(.vmexit, .direct))
    #expect(condition.result(in: image) == .met)
  }

  @Test func adequate() {
    let condition = GateCondition.adequate(["kvm*"])
    let metal = path("m", .inadequate, in: "bare-metal")
    #expect(isUnknown(condition, image([metal])))
    let right = [path("a", .adequate), path("b", .excessive, in: "kvm-tdx"), metal]
    #expect(condition.result(in: image(right)) == .met)
    #expect(isUnknown(condition, image(right + [path("c", .undetermined)])))
    #expect(isUnknown(condition, image(right + [path("c", nil)])))
    let wrong = image(right + [path("c", .undetermined), path("d", .inadequate)])
    #expect(
      condition.result(in: wrong)
        == .unmet(because: "1 of 4 boot paths are inadequate", paths: [id("d")]))
    // Every pattern has to name something, so that a misspelt one is noticed.
    #expect(isUnknown(.adequate(["kvm*", "kmv"]), image(right)))
  }

  @Test(arguments: [
    ("kvm", "kvm", true), ("kvm", "kv", false), ("kv", "kvm", false), ("kvm", "*", true),
    ("", "*", true), ("kvm-no-bhi", "kvm*bhi", true), ("kvm-no-bhi", "*no*", true),
    ("kvm-no-bhi", "*no", false), ("kvm", "k?m", true), ("kvm", "k?", false),
    ("a-b-a-b", "a*a-b", true), ("aab", "a*b*c", false),
  ])
  func patterns(environment: String, pattern: String, matches: Bool) {
    let image = image([path("a", .adequate, in: environment)])
    #expect((GateCondition.adequate([pattern]).result(in: image) == .met) == matches)
  }

  private func isUnmet(_ condition: GateCondition, _ image: ImageReport) -> Bool {
    if case .unmet = condition.result(in: image) { true } else { false }
  }

  private func isUnknown(_ condition: GateCondition, _ image: ImageReport) -> Bool {
    if case .unknown = condition.result(in: image) { true } else { false }
  }

  private func sequence(_ variants: [SequenceVariant]) -> ClearingSequence {
    ClearingSequence(
      symbol: "clear_bhb_loop", address: nil, size: nil, shape: .variable, variants: variants)
  }

  private func bit(meaning: ListenedBit.Meaning?, contract: String?) -> ListenedBit {
    ListenedBit(
      source: .cpuid, leaf: 0x4000_0001, register: .edx, bit: 1, meaning: meaning,
      contract: contract, readAt: nil)
  }

  private func site(_ point: EntryPoint, _ kind: Site.Kind) -> Site {
    Site(
      entryPoint: point, kind: kind, image: "vmlinux", address: Address(1), symbol: nil,
      section: nil, feature: nil, original: nil, replacement: nil, target: nil)
  }
}
