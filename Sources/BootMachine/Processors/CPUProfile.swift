import Mitigation

/// The data file of processors: cpus.json.
struct CPUDocument: Decodable {
  /// Where figures come from, by the keys that profiles name.
  var sources: [String: String]?
  /// The names of the bits of IA32_ARCH_CAPABILITIES by their number (Intel SDM vol. 4).
  var archCapabilitiesBits: [String: String]?
  var templates: [String: CPUTemplate]?
  var susceptibility: [SusceptibilityRule]?
  var beforeAlderLake: OldModels?
  var cpus: [CPUProfile]
}

/// Leaves and registers that many profiles have in common.
struct CPUTemplate: Decodable {
  var note: String?
  var leaves: [LeafText]
  var msrs: [RegisterText]?
}

/// A register with its value and what that means.
struct RegisterText: Decodable {
  var index: Hex32
  var value: Address
  var note: String?
}

/// One answer as text: `LEAF.SUBLEAF EAX EBX ECX EDX`, all in hex without `0x`.
struct LeafText: Decodable {
  var entry: CPUIDTable.Entry

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    let words = text.split(separator: " ")
    let place = words.first?.split(separator: ".").map { UInt32($0, radix: 16) } ?? []
    let values = words.dropFirst().map { UInt32($0, radix: 16) }
    guard place.count == 2, let leaf = place[0], let subleaf = place[1], values.count == 4,
      let eax = values[0], let ebx = values[1], let ecx = values[2], let edx = values[3]
    else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "not `LEAF.SUBLEAF EAX EBX ECX EDX`: \(text)")
    }
    entry = CPUIDTable.Entry(
      leaf: leaf, subleaf: subleaf,
      registers: CPUIDRegisters(eax: eax, ebx: ebx, ecx: ecx, edx: edx))
  }
}

/// Models that are older than Alder Lake; what is not listed counts as new.
struct OldModels: Decodable {
  struct Group: Decodable {
    var name: String
    var models: [Hex32]
  }

  var source: String
  var family: Int
  var models: [Group]
}

/// What a maker, or Linux in its name, says about BHI on a group of models.
struct SusceptibilityRule: Decodable, Sendable {
  var vendors: [String]
  var families: [Int]?
  var models: [Hex32]?
  /// Whether the rule is about models with enhanced IBRS, or about those without; nil for both.
  var enhancedIbrs: Bool?
  var bareMetal: Bool
  var guest: Bool
  var source: String

  func applies(to processor: Processor, hasEnhancedIBRS: Bool) -> Bool {
    guard let vendor = processor.vendor, vendors.contains(vendor.rawValue),
      families?.contains(processor.family) ?? true,
      models?.contains(where: { Int($0.value) == processor.model }) ?? true
    else { return false }
    return enhancedIbrs == nil || enhancedIbrs == hasEnhancedIBRS
  }
}

/// One processor of the data file.
struct CPUProfile: Decodable {
  var id: String
  var title: String
  var template: String?
  /// The age of its microcode, in words.
  var microcode: String
  /// Keys of the document's sources, or sources in words.
  var source: [String]
  var leaves: [LeafText]
  var msrs: [RegisterText]?

  func processor(
    template: CPUTemplate?, sources: [String: String], file: String
  ) throws(DataError) -> Processor {
    var cpuid = CPUIDTable((template?.leaves ?? []).map(\.entry))
    for leaf in leaves {
      cpuid.set(
        leaf: leaf.entry.leaf, subleaf: leaf.entry.subleaf, registers: leaf.entry.registers)
    }
    guard let first = cpuid[0, 0], cpuid[1, 0] != nil else {
      throw DataError(file: file, message: "\(id): CPUID leaf 0 or 1 is missing")
    }
    // Templates hold leaves that the older models of a family do not have yet.
    let highestExtended = cpuid[0x8000_0000, 0]?.eax ?? 0
    for entry in cpuid.entries {
      let highest = entry.leaf < 0x4000_0000 ? first.eax : highestExtended
      if entry.leaf > highest, entry.leaf < 0xC000_0000 {
        cpuid.remove(leaves: entry.leaf...entry.leaf)
      }
    }
    setBrand(in: &cpuid)
    var registers: [UInt32: UInt64] = [:]
    for register in (template?.msrs ?? []) + (msrs ?? []) {
      registers[register.index.value] = register.value.value
    }
    return Processor(
      id: id, title: title, cpuid: cpuid, msrs: registers,
      derived: ["profile \(id), microcode \(microcode)"] + source.map { sources[$0] ?? $0 })
  }

  /// Leaves 0x80000002 to 0x80000004 spell the name; nothing depends on it, so it is the title.
  private func setBrand(in cpuid: inout CPUIDTable) {
    guard cpuid[0x8000_0000, 0]?.eax ?? 0 >= 0x8000_0004 else { return }
    var bytes = Array(title.utf8.prefix(47))
    bytes += [UInt8](repeating: 0, count: 48 - bytes.count)
    let words = stride(from: 0, to: 48, by: 4).map { start in
      (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1) }
    }
    for index in 0..<3 {
      cpuid.set(
        leaf: 0x8000_0002 + UInt32(index),
        registers: CPUIDRegisters(
          eax: words[4 * index], ebx: words[4 * index + 1], ecx: words[4 * index + 2],
          edx: words[4 * index + 3]))
    }
  }
}
