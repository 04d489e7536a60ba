internal import Foundation
internal import Mitigation

/// What the machine does in place of the kernel or of the hardware: data, with a reason each.
///
/// The built-in list is Data/substitutions.json.
struct Substitutions: Sendable, Decodable {
  struct Named: Sendable, Decodable {
    var symbol: String
    /// What a stub returns; nil: 0.
    var returns: Int32?
    var reason: String
  }

  /// An instruction that the emulated CPU model does not know and that has no bearing here.
  struct SkippedInstruction: Sendable, Decodable {
    var bytes: HexBytes
    var name: String
    var reason: String
    /// Results that the instruction leaves behind, if any.
    var rax: Address?
    var rcx: Address?
    var rdx: Address?
  }

  /// A register that a CPU has by its architecture, whether or not a profile or a dump names it.
  struct ArchitecturalMSR: Sendable, Decodable {
    var index: Hex32
    var value: Address
    /// Only CPUs of this vendor have it; nil: all.
    var vendor: ProcessorVendor?
    /// Only CPUs that show this bit have it; nil: all.
    var enumeratedBy: CPUIDBit?
    var reason: String

    enum CodingKeys: String, CodingKey {
      case index, value, vendor
      case enumeratedBy = "enumerated_by"
      case reason
    }

    func exists(on table: CPUIDTable) -> Bool {
      if let vendor, vendor != table.vendor { return false }
      return enumeratedBy?.isSet(in: table) ?? true
    }
  }

  /// An I/O port whose value has no bearing here.
  struct Port: Sendable, Decodable {
    var port: Hex32
    var value: Hex32
    var reason: String
  }

  /// Functions that return at once.
  var stubs: [Named]
  /// Functions that print a line of the kernel's log.
  var printk: [Named]
  /// Functions that a WARN calls with its text.
  var warnings: [Named]
  /// Functions from which there is no way back.
  var panics: [Named]
  /// Functions that direct a static call: key, trampoline, function.
  var staticCalls: [Named]
  var skippedInstructions: [SkippedInstruction]
  var msrs: [ArchitecturalMSR]
  var ports: [Port]

  enum CodingKeys: String, CodingKey {
    case stubs, printk, warnings, panics
    case staticCalls = "static_calls"
    case skippedInstructions = "skipped_instructions"
    case msrs, ports
  }

  static func builtIn() throws(MachineError) -> Substitutions {
    do {
      return try JSONDecoder().decode(
        Substitutions.self, from: Data(PackageResources.substitutions_json))
    } catch {
      throw MachineError("the built-in list of substitutions: \(error)")
    }
  }
}
