import Mitigation
import Testing

struct NamedMutation: Sendable, CustomTestStringConvertible {
  var name: String
  var report: MutationReport
  var testDescription: String { name }
}

extension Fixture {
  static let mutations = [
    NamedMutation(name: "scored", report: mutation()),
    NamedMutation(name: "listed", report: listed()),
  ]

  /// One of each kind of result.
  static func mutation() -> MutationReport {
    let paths = ["ice-lake-sp/kvm/silent/default", "zen4/bare-metal/silent/default"]
    return MutationReport(
      tool: Report.Tool(name: "bhbcheck", version: "1.0.0"), image: "vmlinux", kernel: "7.3.4",
      contract: "kvm-hint", possible: 5,
      mutants: [
        MutantResult(
          mutant: mutant(.conditionInverted, 0x10, "je x", "jne x"), status: .killed,
          killedBy: paths, differences: [.verdict, .sequence, .sysfs]),
        MutantResult(
          mutant: mutant(.callDropped, 0x20, "callq y", "nopl (%rax, %rax)"), status: .broken,
          killedBy: [paths[0]], differences: [.undetermined]),
        MutantResult(
          mutant: mutant(.storeDropped, 0x30, "movl %eax, z", "nopl (%rax)"), status: .survived,
          reason: .elsewhere, detail: "z; lines of the log"),
        MutantResult(
          mutant: mutant(.bitOver, 0x40, "testb $1, z", "testb $2, z"), status: .survived,
          detail: "boot_cpu_data"),
      ],
      paths: 190, undeterminedPaths: ["xen-pv/bare-metal/silent/default"], isScored: true,
      runsEveryPath: false,
      smallestPathSet: [MutationReport.ChosenPath(path: paths[0], adds: 2)])
  }

  private static func listed() -> MutationReport {
    MutationReport(
      tool: Report.Tool(name: "bhbcheck", version: "1.0.0"), image: "vmlinux", kernel: nil,
      contract: nil, possible: 1,
      mutants: [
        MutantResult(mutant: mutant(.bitOver, 0x40, "testb $1, z", "testb $2, z"), status: .notRun)
      ],
      paths: 190, undeterminedPaths: [], isScored: false, runsEveryPath: false, smallestPathSet: [])
  }

  private static func mutant(
    _ kind: Mutant.Operator, _ offset: UInt64, _ before: String, _ after: String
  ) -> Mutant {
    let address = 0xFFFF_FFFF_8100_0000 + offset
    return Mutant(
      id: "\(kind.rawValue)@0x\(String(address, radix: 16))", operator: kind,
      address: Address(address), symbol: "spectre_v2_select+0x\(String(offset, radix: 16))",
      original: HexBytes([0x74, 0x05]), changed: HexBytes([0x75, 0x05]), originalText: before,
      changedText: after, breaks: "Something in spectre_v2_select is wrong.")
  }
}
