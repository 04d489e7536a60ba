import Mitigation

/// Why a CPUID dump cannot be used.
public struct DumpError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The dump's name.
  public var name: String
  /// The line at fault, from 1; nil if it is the whole file.
  public var line: Int?
  public var message: String

  public init(name: String, line: Int?, message: String) {
    self.name = name
    self.line = line
    self.message = message
  }

  public var description: String {
    line.map { "\(name):\($0): \(message)" } ?? "\(name): \(message)"
  }
}

/// Reads dumps of CPUID: what `cpuid -r` (Debian's package cpuid) and AIDA64 write.
///
/// Only the first logical processor counts, because the boot processor alone decides.
public struct CPUIDDump {
  /// More answers than any processor gives, so that a hostile file cannot cost much.
  static let mostEntries = 4096

  private let name: String
  private var cpuid = CPUIDTable()
  private var msrs: [UInt32: UInt64] = [:]
  private var isPastFirstProcessor = false

  private init(name: String) { self.name = name }

  /// The processor that `text` describes; `name` becomes its id.
  ///
  /// Nothing is derived here: registers that the dump does not hold stay undefined.
  public static func parse(_ text: String, name: String) throws(DumpError) -> Processor {
    var dump = CPUIDDump(name: name)
    var number = 0
    for line in text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false) {
      number += 1
      try dump.read(line: trimmed(Substring(line)), number: number)
      if dump.isPastFirstProcessor { break }
    }
    for leaf in [0, 1] as [UInt32] where dump.cpuid[leaf, 0] == nil {
      throw DumpError(
        name: name, line: nil,
        message: dump.cpuid.entries.isEmpty
          ? "no CPUID leaf in it (expected the output of `cpuid -r` or a dump of AIDA64)"
          : "CPUID leaf \(leaf) is missing")
    }
    var given = ["CPUID: \(name)"]
    if !dump.msrs.isEmpty { given.append("\(dump.msrs.count) MSRs: \(name)") }
    return Processor(
      id: name, title: brand(dump.cpuid) ?? name, cpuid: dump.cpuid, msrs: dump.msrs, given: given)
  }

  private mutating func read(line: Substring, number: Int) throws(DumpError) {
    if line.hasPrefix("0x") {
      try readCpuidTool(line, number)
    } else if line.hasPrefix("CPUID "), Self.startsWithHexWord(line.dropFirst(6)) {
      try readAIDA64(line.dropFirst(6), number)
    } else if line.hasPrefix("MSR "), Self.startsWithHexWord(line.dropFirst(4)) {
      readAIDA64Register(line.dropFirst(4))
    } else if Self.isHeading(line) {
      isPastFirstProcessor = !cpuid.entries.isEmpty
    }
  }

  /// `0x00000007 0x00: eax=0x… ebx=0x… ecx=0x… edx=0x…`
  private mutating func readCpuidTool(_ line: Substring, _ number: Int) throws(DumpError) {
    let words = line.split(separator: " ")
    guard words.count == 6, let leaf = parseNumber(words[0], as: UInt32.self),
      words[1].hasSuffix(":"), let subleaf = parseNumber(words[1].dropLast(), as: UInt32.self)
    else { throw malformed(number, "expected `0xLEAF 0xSUBLEAF: eax=… ebx=… ecx=… edx=…`") }
    var registers = CPUIDRegisters()
    for (register, word) in zip(CPUIDRegister.allCases, words.dropFirst(2)) {
      let prefix = register.rawValue + "="
      guard word.hasPrefix(prefix),
        let value = parseNumber(word.dropFirst(prefix.count), as: UInt32.self)
      else { throw malformed(number, "expected `\(prefix)0x…`, found `\(word)`") }
      registers[register] = value
    }
    try add(leaf, subleaf, registers, number)
  }

  /// `00000007: 00000002-F3BFBFFB-BB417FEE-FFDD4430 [SL 00] [a note]`
  private mutating func readAIDA64(_ line: Substring, _ number: Int) throws(DumpError) {
    let expected = "expected `LEAF: EAX-EBX-ECX-EDX [SL SUBLEAF]`"
    guard let colon = line.firstIndex(of: ":"), let leaf = UInt32(line[..<colon], radix: 16) else {
      throw malformed(number, expected)
    }
    let rest = line[line.index(after: colon)...].split(separator: " ", maxSplits: 1)
    let values = rest.first.map { $0.split(separator: "-").map { UInt32($0, radix: 16) } } ?? []
    guard values.count == 4, let eax = values[0], let ebx = values[1], let ecx = values[2],
      let edx = values[3]
    else { throw malformed(number, expected) }
    let registers = CPUIDRegisters(eax: eax, ebx: ebx, ecx: ecx, edx: edx)
    var subleaf: UInt32?
    if rest.count == 2, let mark = rest[1].firstRange(of: "[SL ") {
      let digits = rest[1][mark.upperBound...].prefix { $0 != "]" }
      guard let value = UInt32(digits, radix: 16) else {
        throw malformed(number, "not a subleaf: `\(digits)`")
      }
      subleaf = value
    }
    // Old versions number no subleaves: they come in order.
    try add(leaf, subleaf ?? firstFreeSubleaf(of: leaf), registers, number)
  }

  /// `0000010A: 0000-0000-0000-0001`; registers that could not be read (`< FAILED >`) stay undefined.
  private mutating func readAIDA64Register(_ line: Substring) {
    guard let colon = line.firstIndex(of: ":"), let index = UInt32(line[..<colon], radix: 16),
      let digits = line[line.index(after: colon)...].split(separator: " ").first
    else { return }
    let groups = digits.split(separator: "-").map { UInt16($0, radix: 16) }
    guard groups.count == 4 else { return }
    var value: UInt64 = 0
    for group in groups {
      guard let group else { return }
      value = value << 16 | UInt64(group)
    }
    msrs[index] = value
  }

  private mutating func add(
    _ leaf: UInt32, _ subleaf: UInt32, _ registers: CPUIDRegisters, _ number: Int
  ) throws(DumpError) {
    // Dumps without headings begin the next processor with its leaf 0.
    if leaf == 0, cpuid[0, 0] != nil {
      isPastFirstProcessor = true
      return
    }
    // A repeated answer is the same query again; the first one stands.
    guard cpuid[leaf, subleaf] == nil else { return }
    guard cpuid.entries.count < Self.mostEntries else {
      throw malformed(number, "more than \(Self.mostEntries) answers of one processor")
    }
    cpuid.set(leaf: leaf, subleaf: subleaf, registers: registers)
  }

  private func firstFreeSubleaf(of leaf: UInt32) -> UInt32 {
    guard CPUIDTable.isIndexed(leaf) else { return 0 }
    var subleaf: UInt32 = 0
    while subleaf < UInt32(Self.mostEntries), cpuid[leaf, subleaf] != nil { subleaf += 1 }
    return subleaf
  }

  private func malformed(_ line: Int, _ message: String) -> DumpError {
    DumpError(name: name, line: line, message: message)
  }

  /// Whether a logical processor begins here: `CPU 1:` or `------[ Logical CPU #1 ]------`.
  private static func isHeading(_ line: Substring) -> Bool {
    line.hasPrefix("CPU ") && line.hasSuffix(":") || line.contains("Logical CPU #")
  }

  private static func startsWithHexWord(_ text: Substring) -> Bool {
    let word = text.prefix(9)
    return word.count == 9 && word.last == ":" && word.dropLast().allSatisfy(\.isHexDigit)
  }

  private static func trimmed(_ text: Substring) -> Substring {
    let start = text.drop { $0 == " " || $0 == "\t" || $0 == "\r" || $0 == "\u{FEFF}" }
    guard let end = start.lastIndex(where: { $0 != " " && $0 != "\t" && $0 != "\r" }) else {
      return ""
    }
    return start[...end]
  }

  /// The name in leaves 0x80000002 to 0x80000004.
  private static func brand(_ cpuid: CPUIDTable) -> String? {
    var words: [UInt32] = []
    for leaf in 0x8000_0002...0x8000_0004 as ClosedRange<UInt32> {
      guard let part = cpuid[leaf, 0] else { return nil }
      words += [part.eax, part.ebx, part.ecx, part.edx]
    }
    let name = trimmed(Substring(CPUIDTable.text(of: words)))
    return name.isEmpty ? nil : String(name)
  }
}
