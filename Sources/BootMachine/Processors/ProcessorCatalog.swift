import Foundation
import Mitigation

/// Why a data file of the project or of its user cannot be used.
public struct DataError: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Kind: Sendable, Hashable {
    /// The file cannot be read.
    case unreadable
    /// What the file says cannot be understood, or contradicts itself.
    case invalid
    /// A name that was asked for stands in no file.
    case unknownName
  }

  public var kind: Kind
  /// The file's name or path.
  public var file: String
  public var message: String

  public init(_ kind: Kind = .invalid, file: String, message: String) {
    self.kind = kind
    self.file = file
    self.message = message
  }

  public var description: String { kind == .unknownName ? message : "\(file): \(message)" }
}

/// The processors that are known by id, and what is known about models in general.
public struct ProcessorCatalog: Sendable {
  /// In the order of the data file, overrides in their place.
  public private(set) var processors: [Processor]
  private let susceptibility: [SusceptibilityRule]
  private let beforeAlderLake: Set<KnownModel>
  private let archCapabilitiesBits: [Int: String]

  /// The catalogue of the data files `documents`, each of which adds to or overrides by id what the
  /// ones before it say.
  public init(documents: [(file: String, bytes: [UInt8])]) throws(DataError) {
    var templates: [String: CPUTemplate] = [:]
    var profiles: [CPUProfile] = []
    var rules: [SusceptibilityRule] = []
    var models: Set<KnownModel> = []
    var sources: [String: String] = [:]
    var bits: [Int: String] = [:]
    for (file, bytes) in documents {
      let document: CPUDocument = try decodeDocument(bytes, file: file)
      templates.merge(document.templates ?? [:]) { $1 }
      sources.merge(document.sources ?? [:]) { $1 }
      for (number, name) in document.archCapabilitiesBits ?? [:] {
        if let number = Int(number) { bits[number] = name }
      }
      for profile in document.cpus {
        if let index = profiles.firstIndex(where: { $0.id == profile.id }) {
          profiles[index] = profile
        } else {
          profiles.append(profile)
        }
      }
      // The first rule that fits decides, so a user's rules go before ours.
      rules = (document.susceptibility ?? []) + rules
      for entry in document.beforeAlderLake?.models ?? [] {
        models.formUnion(
          entry.models.map {
            KnownModel(family: document.beforeAlderLake?.family ?? 6, model: Int($0.value))
          })
      }
    }
    processors = []
    susceptibility = rules
    beforeAlderLake = models
    archCapabilitiesBits = bits
    let file = documents.map(\.file).joined(separator: ", ")
    for profile in profiles {
      var template: CPUTemplate?
      if let name = profile.template {
        guard let found = templates[name] else {
          throw DataError(file: file, message: "\(profile.id): no template \(name)")
        }
        template = found
      }
      processors.append(
        assessed(try profile.processor(template: template, sources: sources, file: file)))
    }
  }

  /// The catalogue that is compiled in, extended and overridden by `overrides`.
  public static func standard(
    overrides: [(file: String, bytes: [UInt8])] = []
  ) throws(DataError) -> ProcessorCatalog {
    try ProcessorCatalog(
      documents: [(file: "cpus.json", bytes: PackageResources.cpus_json)] + overrides)
  }

  /// The processor with this id; nil if there is none.
  public func processor(id: String) -> Processor? {
    processors.first { $0.id == id }
  }

  /// The names of the bits that `value` of IA32_ARCH_CAPABILITIES has set, lowest first; a bit
  /// without a name is given by its number.
  public func archCapabilitiesNames(_ value: UInt64) -> [String] {
    (0..<64).filter { value >> UInt64($0) & 1 != 0 }.map {
      archCapabilitiesBits[$0] ?? "bit \($0)"
    }
  }

  /// `processor` with what makers and Linux say about its model: whether BHI affects it, and
  /// whether it is older than Alder Lake. To be repeated after its registers changed.
  ///
  /// - Parameter asGuest: whether it is a guest's, to which a hypervisor may show less than it has.
  public func assessed(_ processor: Processor, asGuest: Bool = false) -> Processor {
    var result = processor
    let rules = rules(for: processor)
    let answers = Set(rules.map { asGuest ? $0.guest : $0.bareMetal })
    // Two rules apply where it is not known whether there is enhanced IBRS.
    result.affected = answers.count == 1 ? answers.first : nil
    result.affectedSource = answers.count == 1 ? rules.first?.source : nil
    result.beforeAlderLake =
      processor.vendor == .intel
      && beforeAlderLake.contains(
        KnownModel(family: processor.family, model: processor.model))
    return result
  }

  /// The first rule about `processor`; where it is not known whether it has enhanced IBRS, the first
  /// in either case. Empty if there is none in any of these cases.
  private func rules(for processor: Processor) -> [SusceptibilityRule] {
    let cases = processor.hasEnhancedIBRS.map { [$0] } ?? [true, false]
    let rules = cases.compactMap { hasIt in
      susceptibility.first { $0.applies(to: processor, hasEnhancedIBRS: hasIt) }
    }
    return rules.count == cases.count ? rules : []
  }

  /// A dumped processor with the registers that its dump does not hold.
  ///
  /// IA32_ARCH_CAPABILITIES comes from the profile of the same family and model whose stepping is
  /// nearest, and of several from one that agrees on BHI_CTRL. If that profile has no such register
  /// it stays undefined, as on a model that we do not ship: nothing is guessed. With a default other
  /// than a fault the user has said what undefined registers hold, so nothing is derived.
  public func completed(_ dump: Processor, msrDefault: MSRDefault = .fault) -> Processor {
    var result = dump
    result.msrDefault = msrDefault
    let index = MSRIndex.archCapabilities
    if msrDefault == .fault, result.enumeratesArchCapabilities, result.msrs[index] == nil,
      let nearest = nearestProfile(to: dump), let value = nearest.msrs[index]
    {
      result.msrs[index] = value
      result.derived.append(
        "IA32_ARCH_CAPABILITIES \(hexadecimal(value)): profile \(nearest.id)")
    }
    if msrDefault == .fault {
      adoptOrdinaryRegisters(of: &result)
    }
    return assessed(result, asGuest: result.cpuid.showsHypervisor)
  }

  private func nearestProfile(to dump: Processor) -> Processor? {
    func distance(_ profile: Processor) -> (Int, Int) {
      (
        abs(profile.stepping - dump.stepping),
        profile.showsBHIControl == dump.showsBHIControl ? 0 : 1
      )
    }
    let relatives = processors.filter {
      $0.vendor == dump.vendor && $0.family == dump.family && $0.model == dump.model
    }
    return relatives.min { distance($0) < distance($1) }
  }

  /// Gives `processor` the registers that every model of its maker has at reset, because real
  /// hardware defines them and boot code reads them without a fixup.
  private func adoptOrdinaryRegisters(of processor: inout Processor) {
    let models = processors.filter { $0.vendor == processor.vendor }
    guard let first = models.first else { return }
    var count = 0
    for (index, value) in first.msrs where processor.msrs[index] == nil {
      if models.allSatisfy({ $0.msrs[index] == value }) {
        processor.msrs[index] = value
        count += 1
      }
    }
    if count > 0 {
      processor.derived.append("\(count) MSRs with their usual value at boot")
    }
  }
}

/// A model by its displayed numbers.
struct KnownModel: Sendable, Hashable {
  var family: Int
  var model: Int
}

/// Decodes one of the project's JSON documents.
public func decodeDocument<Document: Decodable>(
  _ bytes: [UInt8], as type: Document.Type = Document.self, file: String
) throws(DataError) -> Document {
  do {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Document.self, from: Data(bytes))
  } catch {
    throw DataError(file: file, message: explain(error))
  }
}

/// A decoding error in one line, with the place in the document.
private func explain(_ error: any Error) -> String {
  guard let error = error as? DecodingError else { return "\(error)" }
  let context: DecodingError.Context
  switch error {
  case .typeMismatch(_, let found), .valueNotFound(_, let found), .keyNotFound(_, let found),
    .dataCorrupted(let found):
    context = found
  @unknown default: return "\(error)"
  }
  let path = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)" }
  return path.isEmpty ? context.debugDescription : "\(path.joined()): \(context.debugDescription)"
}
