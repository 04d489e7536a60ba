internal import Mitigation

/// One bit of what CPUID answers, written `leaf.subleaf.register.bit` (`7.0.edx.26`).
struct CPUIDBit: Sendable, Hashable, Decodable {
  var leaf: UInt32
  var subleaf: UInt32
  var register: CPUIDRegister
  var bit: Int

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    let parts = text.split(separator: ".")
    guard parts.count == 4, let leaf = parseNumber(parts[0], as: UInt32.self),
      let subleaf = parseNumber(parts[1], as: UInt32.self),
      let register = CPUIDRegister(rawValue: String(parts[2])), let bit = Int(parts[3]),
      (0..<32).contains(bit)
    else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "not leaf.subleaf.register.bit: \(text)")
    }
    self.leaf = leaf
    self.subleaf = subleaf
    self.register = register
    self.bit = bit
  }

  func isSet(in table: CPUIDTable) -> Bool {
    table.isSet(leaf: leaf, subleaf: subleaf, register: register, bit: bit)
  }
}
