import Mitigation
import Testing

@Suite struct EntryPointTests {
  @Test func theOrderIsThatOfTheDeclaration() {
    let expected: [EntryPoint] = [
      .syscall64, .sysenterCompat, .syscallCompat, .int80, .fredUser, .vmexit, .exitToUser, .bpf,
    ]
    #expect(EntryPoint.allCases == expected)
    #expect(expected.reversed().sorted() == expected)
    #expect(!(EntryPoint.bpf < EntryPoint.bpf))
  }

  @Test func keysOfAnObjectAreTheNames() throws {
    let outcomes: [EntryPoint: Int] = [.syscall64: 1, .exitToUser: 2]
    #expect(try json(outcomes) == #"{"exit-to-user":2,"syscall64":1}"#)
    #expect(try roundTrip(outcomes) == outcomes)
  }

  @Test func onlyExitsFromAGuestBelongToItsVector() {
    let guestToHost = EntryPoint.allCases.filter { $0.vector == .guestToHost }
    #expect(guestToHost == [.vmexit, .exitToUser])
  }

  @Test func theWayBackToUserSpaceDoesNotEnterTheKernel() {
    #expect(EntryPoint.allCases.filter { !$0.entersKernel } == [.exitToUser])
  }
}
