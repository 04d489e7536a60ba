/// The arguments of a variadic kernel function, as they lie at its entry (System V AMD64 ABI).
struct CallArguments {
  var registers: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)
  /// RSP at the entry: the return address, then the arguments that found no register.
  var stack: UInt64

  /// The argument with this index, counted from 0.
  func value(_ index: Int, in state: MachineState) -> UInt64 {
    switch index {
    case 0: registers.0
    case 1: registers.1
    case 2: registers.2
    case 3: registers.3
    case 4: registers.4
    case 5: registers.5
    default: state.load(UInt64.self, at: stack &+ UInt64(8 * (index - 5))) ?? 0
    }
  }
}

extension MachineState {
  /// Adds printed bytes to the log, without the level that the kernel puts in front
  /// (KERN_SOH and a digit; `c` continues the line before: include/linux/kern_levels.h).
  func printed(_ bytes: [UInt8]) {
    var text = bytes[...]
    var continues = false
    while text.first == 1, text.count >= 2 {
      continues = text[text.startIndex + 1] == UInt8(ascii: "c")
      text = text.dropFirst(2)
    }
    while text.last == UInt8(ascii: "\n") { text = text.dropLast() }
    logSize += text.count + 1
    if continues, let last = log.indices.last {
      log[last] += text
    } else if !text.isEmpty {
      log.append(Array(text))
    }
  }

  /// What the kernel's vsnprintf() makes of a format and its arguments, as far as boot code
  /// goes: integers, strings, characters; a pointer prints as hex digits whatever follows %p.
  func formatted(_ arguments: CallArguments) -> [UInt8] {
    let format = cString(at: arguments.value(0, in: self))
    var output: [UInt8] = []
    var next = 1
    var position = 0
    func argument() -> UInt64 {
      defer { next += 1 }
      return arguments.value(next, in: self)
    }
    while position < format.count, output.count < Self.longestLine {
      guard format[position] == UInt8(ascii: "%") else {
        output.append(format[position])
        position += 1
        continue
      }
      position += 1
      let field = FormatField(format, &position, nextArgument: argument)
      switch field.conversion {
      case UInt8(ascii: "%"): output.append(UInt8(ascii: "%"))
      case UInt8(ascii: "s"):
        let address = argument()
        field.append(address == 0 ? Array("(null)".utf8) : cString(at: address), to: &output)
      case UInt8(ascii: "c"): field.append([UInt8(truncatingIfNeeded: argument())], to: &output)
      case UInt8(ascii: "d"), UInt8(ascii: "i"):
        field.append(number: field.signed(argument()), to: &output)
      case UInt8(ascii: "u"): field.append(number: String(field.unsigned(argument())), to: &output)
      case UInt8(ascii: "x"), UInt8(ascii: "X"):
        let digits = String(
          field.unsigned(argument()), radix: 16, uppercase: field.conversion == UInt8(ascii: "X"))
        field.append(number: (field.alternate ? "0x" : "") + digits, to: &output)
      case UInt8(ascii: "o"):
        field.append(number: String(field.unsigned(argument()), radix: 8), to: &output)
      case UInt8(ascii: "p"):
        let digits = String(argument(), radix: 16)
        output += Array(repeating: UInt8(ascii: "0"), count: max(0, 16 - digits.utf8.count))
        output += Array(digits.utf8)
        while position < format.count, FormatField.extendsPointer(format[position]) {
          position += 1
        }
      default: break
      }
    }
    return Array(output.prefix(Self.longestLine))
  }

  /// What the kernel's own buffer for a line holds (PRINTKRB_RECORD_MAX, kernel/printk/internal.h).
  private static let longestLine = 1024

  /// More than this no boot prints, in bytes: a kernel that prints in a loop would fill the host's
  /// memory long before it has run too long.
  private static let longestLog = 1 << 20

  /// Why a path that prints without end must stop; nil while it does not.
  var logFailure: Failure? {
    logSize > Self.longestLog ? .missing("more than \(Self.longestLog) bytes were printed") : nil
  }
}

/// One conversion of a format: flags, width, precision, length and conversion letter.
private struct FormatField {
  var conversion: UInt8 = 0
  var alternate = false
  private var leftAligned = false
  private var zeroPadded = false
  private var signFlag = false
  private var width = 0
  private var precision: Int?
  /// The size of an integer argument, in bits.
  private var bits = 32

  init(_ format: [UInt8], _ position: inout Int, nextArgument: () -> UInt64) {
    func peek() -> UInt8? { position < format.count ? format[position] : nil }
    flags: while let byte = peek() {
      switch byte {
      case UInt8(ascii: "-"): leftAligned = true
      case UInt8(ascii: "0"): zeroPadded = true
      case UInt8(ascii: "#"): alternate = true
      case UInt8(ascii: "+"): signFlag = true
      case UInt8(ascii: " "): break
      default: break flags
      }
      position += 1
    }
    func count() -> Int {
      if peek() == UInt8(ascii: "*") {
        position += 1
        return Int(Int32(truncatingIfNeeded: nextArgument()))
      }
      var value = 0
      while let byte = peek(), byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") {
        // A hostile number must not grow without end.
        value = min(value * 10 + Int(byte - UInt8(ascii: "0")), 10_000)
        position += 1
      }
      return value
    }
    width = count()
    if peek() == UInt8(ascii: ".") {
      position += 1
      // As with a width: the kernel's own ends at 32767.
      precision = min(max(0, count()), 1024)
    }
    while let byte = peek() {
      switch byte {
      case UInt8(ascii: "h"): bits = bits == 16 ? 8 : 16
      case UInt8(ascii: "l"), UInt8(ascii: "z"), UInt8(ascii: "t"), UInt8(ascii: "L"): bits = 64
      default:
        conversion = byte
        position += 1
        return
      }
      position += 1
    }
  }

  func unsigned(_ value: UInt64) -> UInt64 {
    bits == 64 ? value : value & (1 << UInt64(bits) - 1)
  }

  func signed(_ value: UInt64) -> String {
    let shift = UInt64(64 - bits)
    let number = Int64(bitPattern: value << shift) >> Int64(shift)
    return (signFlag && number >= 0 ? "+" : "") + String(number)
  }

  func append(_ text: [UInt8], to output: inout [UInt8]) {
    let text = precision.map { Array(text.prefix($0)) } ?? text
    pad(text, with: UInt8(ascii: " "), to: &output)
  }

  func append(number: String, to output: inout [UInt8]) {
    let fill = zeroPadded && !leftAligned ? UInt8(ascii: "0") : UInt8(ascii: " ")
    var digits = Array(number.utf8)
    if let precision, digits.count < precision {
      digits.insert(
        contentsOf: repeatElement(UInt8(ascii: "0"), count: precision - digits.count), at: 0)
    }
    pad(digits, with: fill, to: &output)
  }

  private func pad(_ text: [UInt8], with fill: UInt8, to output: inout [UInt8]) {
    // A hostile width must not make a line without end.
    let missing = max(0, min(abs(width), 256) - text.count)
    if !leftAligned && width >= 0 { output += repeatElement(fill, count: missing) }
    output += text
    if leftAligned || width < 0 { output += repeatElement(UInt8(ascii: " "), count: missing) }
  }

  /// The letters that follow %p (Documentation/core-api/printk-formats.rst).
  static func extendsPointer(_ byte: UInt8) -> Bool {
    byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z")
      || byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z")
  }
}
