public import BootMachine
import Mitigation

/// A bit of a hypervisor's leaves whose meaning is known, and is not the sequence.
public struct KnownBit: Sendable, Hashable, Decodable {
  /// What tells one bit from another.
  struct Place: Sendable, Hashable {
    var signature: String
    var place: BitPlace
  }

  public var signature: String
  /// Counted from the leaf where the hypervisor names itself.
  public var offset: UInt32
  public var register: CPUIDRegister
  public var bit: Int
  public var name: String

  var place: Place {
    Place(signature: signature, place: .cpuid(offset: offset, register, bit: bit))
  }

  private enum Keys: String, CodingKey { case signature, offset, register, bit, name }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Keys.self)
    signature = try container.decode(String.self, forKey: .signature)
    offset = try container.decode(Hex32.self, forKey: .offset).value
    register = try container.decode(CPUIDRegister.self, forKey: .register)
    bit = try container.decode(Int.self, forKey: .bit)
    name = try container.decode(String.self, forKey: .name)
  }
}
