/// Why a machine could not be built for an image. A fault while a boot path runs is no error:
/// it makes that path undetermined.
public struct MachineError: Error, Sendable, Hashable, CustomStringConvertible {
  public var message: String

  public init(_ message: String) { self.message = message }

  public var description: String { message }
}
