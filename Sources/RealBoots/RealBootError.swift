/// Why a real boot could not be run, or did not come to its end.
public struct RealBootError: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Code: String, Sendable, Hashable, CaseIterable {
    /// There is no QEMU.
    case noQEMU = "no-qemu"
    /// QEMU ended, or refused.
    case qemu
    /// The boot took too long.
    case timeOut = "time-out"
    /// A file or a socket of our own.
    case system
    /// QEMU's GDB stub said something else than it should.
    case `protocol`
  }

  public var code: Code
  public var message: String

  init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }
}
