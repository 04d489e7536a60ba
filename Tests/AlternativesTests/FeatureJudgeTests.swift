import Mitigation
import Testing

@testable import Alternatives

@Suite("Features of sites")
struct FeatureJudgeTests {
  private func site(_ entryPoint: EntryPoint?, _ feature: Int, negated: Bool = false) -> Site {
    Site(
      entryPoint: entryPoint, kind: .alternative, image: "vmlinux", address: Address(0x1000),
      symbol: nil, section: nil, feature: FeatureReference(number: feature, name: nil),
      negated: negated, original: nil, replacement: nil, target: nil)
  }

  private var right: [Site] {
    [
      site(.syscall64, 673), site(.sysenterCompat, 673), site(.syscallCompat, 673),
      site(.int80, 673), site(.vmexit, 676),
    ]
  }

  private func wrong(_ sites: [Site], shown: @escaping (Int) -> String? = { _ in nil })
    -> [EntryPoint?]
  {
    FeatureJudge(sites).wrong(shown: shown).map(\.site.entryPoint)
  }

  @Test("a right build is right, with whatever numbers")
  func rightBuild() {
    #expect(wrong(right).isEmpty)
    #expect(wrong([site(.syscall64, 700), site(.int80, 700), site(.vmexit, 9)]).isEmpty)
    #expect(wrong([site(.syscall64, 700)]).isEmpty)
    #expect(wrong([]).isEmpty)
  }

  @Test("a sibling with another feature is wrong, also one that is negated")
  func sibling() {
    var sites = right
    sites[2] = site(.syscallCompat, 676)
    #expect(wrong(sites) == [.syscallCompat])
    sites[2] = site(.syscallCompat, 673, negated: true)
    #expect(wrong(sites) == [.syscallCompat])
  }

  @Test("two against two has no majority, so nobody is blamed")
  func tie() {
    #expect(
      wrong([
        site(.syscall64, 1), site(.int80, 1), site(.sysenterCompat, 2), site(.syscallCompat, 2),
      ]).isEmpty)
  }

  @Test("the VM exit must not hang on the feature of the entries from user space")
  func vmexit() {
    var sites = right
    sites[4] = site(.vmexit, 673)
    #expect(wrong(sites) == [.vmexit])
  }

  @Test("a feature that /proc/cpuinfo shows as something else is wrong everywhere")
  func shown() {
    let names = wrong(right) { $0 == 673 ? "PTI" : nil }
    #expect(names == [.syscall64, .sysenterCompat, .syscallCompat, .int80])
    #expect(wrong(right) { $0 == 673 ? "CLEAR_BHB_LOOP" : nil }.isEmpty)
  }

  @Test("a site of an unknown entry point is not judged")
  func unknown() {
    #expect(wrong(right + [site(nil, 5)]).isEmpty)
  }
}
