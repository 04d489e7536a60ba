import KernelImage
import Testing

@testable import BootMachine
@testable import Inspection

/// The formatter works on the memory of a guest, so it gets one: a sample's.
@Suite("The kernel's log")
struct KernelLogTests {
  private let machine: LogMachine

  init() throws { machine = try LogMachine() }

  static let formats: [(format: String, arguments: [UInt64], text: String)] = [
    ("plain", [], "plain"),
    ("100%%", [], "100%"),
    ("%d %d", [5, UInt64(bitPattern: -3)], "5 -3"),
    ("%d", [0xFFFF_FFFF], "-1"),
    ("%ld", [UInt64.max], "-1"),
    ("%u %lu", [0x1_0000_0005, 0x1_0000_0005], "5 4294967301"),
    ("%hhu %hu", [0x1FF, 0x1_0002], "255 2"),
    ("%x %X %#x %#lx", [0xAB, 0xAB, 0xAB, 0xAB_0000_0000], "ab AB 0xab 0xab00000000"),
    ("%08x|%4d|%-4d|", [0xABC, 7, 7], "00000abc|   7|7   |"),
    ("%.3d %+d", [7, 7], "007 +7"),
    ("%*d|", [4, 7], "   7|"),
    ("%o", [8], "10"),
    ("%c%c", [0x41, 0x42], "AB"),
    ("%p", [0xFFFF_FFFF_8100_0000], "ffffffff81000000"),
    ("%pS|%pK", [1, 2], "0000000000000001|0000000000000002"),
    ("%zu", [42], "42"),
    ("%d%d%d%d%d%d%d", [1, 2, 3, 4, 5, 6, 7], "1234567"),
    ("ends in %", [], "ends in "),
    ("%s", [0], "(null)"),
    ("%100000d|", [1], String(repeating: " ", count: 255) + "1|"),
    ("%.*d", [0x7FFF_FFFF, 7], String(repeating: "0", count: 1023) + "7"),
    (
      "%.*d%.*d", [1000, 1, 1000, 2],
      String(repeating: "0", count: 999) + "1"
        + String(repeating: "0", count: 24)
    ),
  ]

  @Test("formats as vsnprintf() writes them", arguments: formats)
  func format(_ format: String, _ arguments: [UInt64], _ text: String) throws {
    #expect(try machine.formatted(format, arguments) == text)
  }

  @Test("strings are read in the guest, with width and precision")
  func strings() throws {
    let address = try machine.place("Spectre", at: 512)
    #expect(try machine.formatted("%s V2", [address]) == "Spectre V2")
    #expect(
      try machine.formatted("%.3s|%10s|%-10s|", [address, address, address])
        == "Spe|   Spectre|Spectre   |")
    // An address that is nowhere is an empty string, not a fault.
    #expect(try machine.formatted("<%s>", [0x10]) == "<>")
  }

  @Test("levels are taken off, and a continued line is one line")
  func levels() {
    let lines = machine.log(["\u{1}6first\n", "\u{1}csecond\n", "third", "\n", "\u{1}4\n"])
    #expect(lines == ["firstsecond", "third"])
  }
}

/// A machine whose memory the formatter reads; nothing runs in it.
private final class LogMachine {
  private let machine: Machine

  init() throws {
    let kernel = try KernelImage(Sample.short.artefact)
    machine = try Machine(BootImage(kernel))
  }

  /// Puts a C string into the guest's spare page.
  func place(_ text: String, at offset: UInt64) throws -> UInt64 {
    let address = machine.memory.map.page.guest + offset
    let isThere = machine.memory.write(Array(text.utf8) + [0], at: address)
    try #require(isThere)
    return address
  }

  func formatted(_ format: String, _ arguments: [UInt64]) throws -> String {
    let map = machine.memory.map
    let stack = map.stack.guest + 0x1000
    var all = [try place(format, at: 0)] + arguments
    while all.count < 6 { all.append(0) }
    for (index, value) in all.dropFirst(6).enumerated() {
      let isThere = machine.memory.write(value, at: stack + 8 * UInt64(index + 1))
      try #require(isThere)
    }
    let call = CallArguments(
      registers: (all[0], all[1], all[2], all[3], all[4], all[5]), stack: stack)
    return String(decoding: machine.state.formatted(call), as: UTF8.self)
  }

  func log(_ printed: [String]) -> [String] {
    for text in printed { machine.state.printed(Array(text.utf8)) }
    defer { machine.state.reset() }
    return machine.state.log.map { String(decoding: $0, as: UTF8.self) }
  }
}
