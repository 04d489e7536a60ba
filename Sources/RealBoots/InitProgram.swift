/// The first and only process of a boot, as a static ELF executable that is assembled here, so that
/// neither a compiler nor a C library is needed.
///
/// It silences the console, mounts sysfs, prints the line of spectre_v2 between marks, and powers
/// off; where that fails, it waits.
enum InitProgram {
  static let sysfsMark = "@@ spectre_v2 "
  static let endMark = "@@ end"

  private static let base: UInt32 = 0x40_0000
  /// ELF header and one program header.
  private static let headerSize = 64 + 56
  private static let bufferSize: UInt32 = 4096

  static var image: [UInt8] {
    var code = Assembly(origin: base + UInt32(headerSize))
    // syslog(SYSLOG_ACTION_CONSOLE_OFF): no message of the kernel's falls into our lines.
    code.call(.syslog, .number(6), .number(0), .number(0))
    code.call(
      .mount, .text("none"), .text("/sys"), .text("sysfs"), .number(0), .number(0))
    code.call(
      .open, .text("/sys/devices/system/cpu/vulnerabilities/spectre_v2"), .number(0), .number(0))
    code.saveResult()
    code.print(sysfsMark)
    code.call(.read, .saved, .buffer, .number(bufferSize))
    code.saveResult()
    code.call(.write, .number(1), .buffer, .saved)
    code.print("\n\(endMark)\n")
    // LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_POWER_OFF
    code.call(.reboot, .number(0xFEE1_DEAD), .number(0x2812_1969), .number(0x4321_FEDC))
    code.waitForEver()
    return elf(code.finished())
  }

  /// One loadable, writable and executable segment; the buffer lies behind the file's bytes.
  private static func elf(_ content: [UInt8]) -> [UInt8] {
    let size = UInt64(headerSize + content.count)
    var bytes: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1, 0] + [UInt8](repeating: 0, count: 8)
    func add<T: FixedWidthInteger>(_ value: T) {
      withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
    }
    add(UInt16(2))  // ET_EXEC
    add(UInt16(62))  // EM_X86_64
    add(UInt32(1))
    add(UInt64(base) + UInt64(headerSize))
    add(UInt64(64))
    add(UInt64(0))
    add(UInt32(0))
    for value in [64, 56, 1, 0, 0, 0] as [UInt16] { add(value) }
    add(UInt32(1))  // PT_LOAD
    add(UInt32(7))
    add(UInt64(0))
    add(UInt64(base))
    add(UInt64(base))
    add(size)
    add(size + UInt64(bufferSize))
    add(UInt64(0x1000))
    return bytes + content
  }
}

/// Machine code with the texts that it points to.
private struct Assembly {
  enum SystemCall: UInt32 {
    case read = 0
    case write = 1
    case open = 2
    case pause = 34
    case syslog = 103
    case mount = 165
    case reboot = 169
  }

  enum Argument {
    case number(UInt32)
    case text(String)
    /// What a system call returned.
    case saved
    /// The memory behind the program.
    case buffer
  }

  let origin: UInt32
  private var code: [UInt8] = []
  private var texts: [UInt8] = []
  /// Where in the code an address of a text is to be written, with the text's offset.
  private var textPlaces: [(place: Int, offset: Int)] = []
  private var bufferPlaces: [Int] = []

  init(origin: UInt32) { self.origin = origin }

  /// `mov` of each argument into its register, and `syscall`.
  mutating func call(_ call: SystemCall, _ arguments: Argument...) {
    // mov $imm32 into EDI, ESI, EDX, R10D, R8D; mov %ebx into the first three.
    let loads: [[UInt8]] = [[0xBF], [0xBE], [0xBA], [0x41, 0xBA], [0x41, 0xB8]]
    let copies: [[UInt8]] = [[0x89, 0xDF], [0x89, 0xDE], [0x89, 0xDA]]
    for (index, argument) in arguments.enumerated() where index < loads.count {
      switch argument {
      case .number(let value):
        code += loads[index]
        add(value)
      case .text(let text):
        code += loads[index]
        textPlaces.append((code.count, texts.count))
        texts += Array(text.utf8) + [0]
        add(0)
      case .buffer:
        code += loads[index]
        bufferPlaces.append(code.count)
        add(0)
      case .saved:
        if index < copies.count { code += copies[index] }
      }
    }
    code.append(0xB8)  // mov $imm32, %eax
    add(call.rawValue)
    code += [0x0F, 0x05]  // syscall
  }

  /// `mov %eax, %ebx`: RBX outlives system calls.
  mutating func saveResult() { code += [0x89, 0xC3] }

  mutating func print(_ text: String) {
    call(.write, .number(1), .text(text), .number(UInt32(text.utf8.count)))
  }

  mutating func waitForEver() {
    let start = code.count
    call(.pause)
    // jmp back over itself
    code += [0xEB, UInt8(bitPattern: Int8(start - code.count - 2))]
  }

  func finished() -> [UInt8] {
    var bytes = code + texts
    func set(_ place: Int, _ value: UInt32) {
      for index in 0..<4 {
        bytes[place + index] = UInt8(truncatingIfNeeded: value >> UInt32(8 * index))
      }
    }
    for (place, offset) in textPlaces { set(place, origin + UInt32(code.count + offset)) }
    for place in bufferPlaces { set(place, origin + UInt32(bytes.count)) }
    return bytes
  }

  private mutating func add(_ value: UInt32) {
    withUnsafeBytes(of: value.littleEndian) { code += $0 }
  }
}
