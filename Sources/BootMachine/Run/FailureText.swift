public import KernelImage
internal import Mitigation

extension Failure {
  /// One line for a report, with names in place of addresses.
  ///
  /// - Parameter describe: how an address is named; by default as the kernel's symbols have it.
  func text(in kernel: KernelImage, describe: ((UInt64) -> String)? = nil) -> String {
    func place(_ address: UInt64) -> String { describe?(address) ?? kernel.describe(address) }
    func source(_ file: UInt64, _ line: Int) -> String {
      kernel.cString(at: file).map { " (\($0):\(line))" } ?? ""
    }
    switch self {
    case .missing(let what): return what
    case .unmapped(let access, let address, let at):
      return "memory that is not there was \(access): \(hexadecimal(address)) at \(place(at))"
    case .invalidInstruction(let at):
      let bytes = kernel.bytes(at: at, count: 8).map { " " + HexBytes($0).description } ?? ""
      return "an instruction that the emulator does not know:\(bytes) at \(place(at))"
    case .exception(let number, let at): return "exception \(number) at \(place(at))"
    case .warning(let at, let file, let line): return "WARN at \(place(at))" + source(file, line)
    case .bug(let at, let file, let line): return "BUG at \(place(at))" + source(file, line)
    case .panic(let message):
      return "the kernel panicked: \(String(decoding: message, as: UTF8.self))"
    case .blockLimit(let limit, let at):
      return "more than \(limit) basic blocks ran, the last at \(place(at))"
    case .engine(let error, let at): return "\(error) at \(place(at))"
    case .astray(let function, let at): return "\(function) ended at \(place(at))"
    case .unhandledFault(let at):
      return "an MSR access raised #GP that the kernel does not handle, at \(place(at))"
    case .native(let access, let at):
      return "\(access.text), at \(place(at))"
    case .control(let value, let at):
      return
        "SPEC_CTRL is set to \(hexadecimal(value)) at \(place(at)), with BHI_DIS_S, which this processor "
        + "does not show to have"
    case .port(let port, let at):
      return "I/O port \(hexadecimal(UInt64(port))) was read at \(place(at))"
    }
  }
}

extension KernelImage {
  /// An address as people read it: the nearest symbol and the offset from it.
  public func describe(_ address: UInt64) -> String {
    guard let (name, offset) = symbols.nearest(to: address) else { return hexadecimal(address) }
    return offset == 0 ? name : "\(name)+\(hexadecimal(offset))"
  }
}
