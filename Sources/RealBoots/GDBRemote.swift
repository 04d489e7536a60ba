import Glibc

/// A connection to QEMU's GDB stub: the few requests that a boot needs
/// (GDB manual, "GDB Remote Serial Protocol").
struct GDBRemote: ~Copyable {
  /// General registers by the stub's numbers for x86-64.
  enum Register: Int {
    case rax = 0, rbx, rcx, rdx
    case rip = 16
  }

  /// RAX to R15 and RIP.
  struct Registers {
    var values: [UInt64]

    subscript(register: Register) -> UInt64 { values[register.rawValue] }
  }

  private let socket: Int32
  private var received: [UInt8] = []
  private let deadline: ContinuousClock.Instant

  private init(socket: Int32, deadline: ContinuousClock.Instant) {
    self.socket = socket
    self.deadline = deadline
  }

  /// Connects to the stub; QEMU may open its socket a little later.
  static func connected(
    to path: String, deadline: ContinuousClock.Instant, isAlive: () -> Bool
  ) throws(RealBootError) -> GDBRemote {
    var socket = connect(path)
    while socket < 0 {
      guard isAlive() else {
        throw RealBootError(.qemu, "QEMU ended before it opened its GDB stub")
      }
      guard ContinuousClock.now < deadline else {
        throw RealBootError(.timeOut, "QEMU opens no GDB stub")
      }
      usleep(20_000)
      socket = connect(path)
    }
    var remote = GDBRemote(socket: socket, deadline: deadline)
    _ = try remote.ask("?")
    // QEMU refuses to write single registers before it was asked for this.
    _ = try remote.ask("qXfer:features:read:target.xml:0,ffb")
    return remote
  }

  deinit { close(socket) }

  private static func connect(_ path: String) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8) + [0]
    guard bytes.count <= MemoryLayout.size(ofValue: address.sun_path) else { return -1 }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let file = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard file >= 0 else { return -1 }
    let status = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(file, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    if status == 0 { return file }
    close(file)
    return -1
  }

  // MARK: Packets

  mutating func ask(_ request: String) throws(RealBootError) -> String {
    try send(request)
    while true {
      if let answer = takePacket() {
        try write(Array("+".utf8))
        return answer
      }
      guard ContinuousClock.now < deadline else {
        throw RealBootError(.timeOut, "the boot took too long")
      }
      guard try receive(milliseconds: 1000) else { continue }
    }
  }

  func send(_ request: String) throws(RealBootError) {
    let sum = request.utf8.reduce(UInt8(0)) { $0 &+ $1 }
    try write(Array("$\(request)#\(Self.hex([sum]))".utf8))
  }

  /// The next stop, if there is one within that time.
  mutating func stop(withinMilliseconds time: Int32) throws(RealBootError) -> String? {
    if let packet = takePacket() {
      try write(Array("+".utf8))
      return packet
    }
    guard try receive(milliseconds: time), let packet = takePacket() else { return nil }
    try write(Array("+".utf8))
    return packet
  }

  private mutating func takePacket() -> String? {
    guard let start = received.firstIndex(of: UInt8(ascii: "$")),
      let end = received[start...].firstIndex(of: UInt8(ascii: "#")), end + 2 < received.count
    else { return nil }
    let text = String(decoding: received[(start + 1)..<end], as: UTF8.self)
    received.removeSubrange(...(end + 2))
    return text
  }

  /// Whether anything came.
  private mutating func receive(milliseconds: Int32) throws(RealBootError) -> Bool {
    var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
    guard poll(&entry, 1, milliseconds) > 0 else { return false }
    var buffer = [UInt8](repeating: 0, count: 65536)
    let count = recv(socket, &buffer, buffer.count, 0)
    guard count > 0 else { throw RealBootError(.qemu, "QEMU ended") }
    received += buffer[..<count]
    return true
  }

  private func write(_ bytes: [UInt8]) throws(RealBootError) {
    var done = 0
    while done < bytes.count {
      let count = bytes[done...].withUnsafeBytes {
        Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw RealBootError(.qemu, "QEMU ended") }
      done += count
    }
  }

  private mutating func expectOK(_ request: String) throws(RealBootError) {
    let answer = try ask(request)
    guard answer == "OK" else {
      throw RealBootError(.protocol, "QEMU's GDB stub answers '\(answer)' to '\(request)'")
    }
  }

  // MARK: Requests

  mutating func registers() throws(RealBootError) -> Registers {
    let answer = try ask("g")
    let bytes = try Self.bytes(answer)
    guard bytes.count >= 17 * 8 else {
      throw RealBootError(.protocol, "QEMU's GDB stub shows too few registers")
    }
    return Registers(
      values: (0..<17).map { index in
        (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[index * 8 + $1]) << UInt64($1 * 8) }
      })
  }

  mutating func set(_ register: Register, to value: UInt64) throws(RealBootError) {
    let bytes = (0..<8).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
    try expectOK("P\(String(register.rawValue, radix: 16))=\(Self.hex(bytes))")
  }

  mutating func memory(at address: UInt64, count: Int) throws(RealBootError) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      let part = min(1024, count - bytes.count)
      let place = String(address &+ UInt64(bytes.count), radix: 16)
      let answer = try Self.bytes(try ask("m\(place),\(String(part, radix: 16))"))
      guard answer.count == part else {
        throw RealBootError(.protocol, "QEMU has no memory at 0x\(place)")
      }
      bytes += answer
    }
    return bytes
  }

  mutating func setBreakpoint(_ address: UInt64) throws(RealBootError) {
    try expectOK("Z1,\(String(address, radix: 16)),1")
  }

  mutating func clearBreakpoint(_ address: UInt64) throws(RealBootError) {
    try expectOK("z1,\(String(address, radix: 16)),1")
  }

  /// Runs one instruction, also one with a breakpoint on it: QEMU would stop there again otherwise.
  mutating func step() throws(RealBootError) { _ = try ask("s") }

  // MARK: Hex

  static func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 2)
    for byte in bytes {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }

  static func bytes(_ text: String) throws(RealBootError) -> [UInt8] {
    var bytes: [UInt8] = []
    var high: UInt8?
    for digit in text.utf8 {
      guard let value = value(of: digit) else {
        throw RealBootError(.protocol, "QEMU's GDB stub answers '\(text.prefix(40))'")
      }
      if let first = high {
        bytes.append(first << 4 | value)
        high = nil
      } else {
        high = value
      }
    }
    return bytes
  }

  /// QEMU writes `x` for what it does not know.
  private static func value(of digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "x"): 0
    default: nil
    }
  }
}
