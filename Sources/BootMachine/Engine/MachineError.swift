internal import Alternatives

/// Why a machine could not be built for an image. A fault while a boot path runs is no error:
/// it makes that path undetermined.
public struct MachineError: Error, Sendable, Hashable, CustomStringConvertible {
  public var message: String

  public init(_ message: String) { self.message = message }

  public var description: String { message }

  /// Makes something whose failure keeps a machine from being built.
  static func wrapping<Value: ~Copyable>(
    _ make: () throws(DecoderError) -> Value
  ) throws(MachineError) -> Value {
    do {
      return try make()
    } catch {
      throw MachineError(error.description)
    }
  }
}
