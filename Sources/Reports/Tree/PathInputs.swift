import Mitigation

/// Something that differs between boot paths and that a kernel can base its choice on.
///
/// The order is that in which equally good questions are asked.
public enum DecisionInput: String, Sendable, Hashable, CaseIterable, Encodable {
  case bhiControl = "BHI_CTRL"
  case hypervisor = "HYPERVISOR"
  case statement
  case bhiNo = "BHI_NO"
  case vendor
  case enhancedIBRS = "enhanced IBRS"
  case rrsba = "RRSBA"
  case rrsbaControl = "RRSBA_CTRL"
  case fred = "FRED"
  case signature = "hypervisor signature"
  case commandLine = "command line"
  /// One answer for nearly every CPU, and so asked only where the features above are the same.
  case family = "CPU family and model"
  /// The last two only where nothing above tells two paths apart: they are our own names, which no
  /// kernel knows.
  case environment, cpu

  /// Questions of a higher tier are asked only where none of a lower one tells anything.
  var tier: Int {
    switch self {
    case .environment, .cpu: 2
    case .family: 1
    default: 0
    }
  }

  /// How the question stands in a picture.
  var words: String {
    switch self {
    case .bhiControl, .rrsbaControl, .hypervisor, .fred: "CPUID: \(rawValue)"
    case .bhiNo, .rrsba: "ARCH_CAPABILITIES: \(rawValue)"
    default: rawValue
    }
  }
}

extension JudgedPath {
  /// What the kernel was answered on this path, where the report holds a trace; the rest of what
  /// makes up the path in any case.
  var inputs: [DecisionInput: String] {
    var inputs: [DecisionInput: String] = [
      .statement: path.statement.rawValue, .commandLine: path.commandLineName,
      .environment: path.environment, .cpu: path.cpu,
    ]
    guard let trace = outcome.trace else { return inputs }
    func leaf(_ number: UInt32, _ subleaf: UInt32 = 0) -> CPUIDAccess? {
      trace.cpuid.last { $0.leaf.value == number && $0.subleaf.value == subleaf }
    }
    func bit(_ register: Hex32?, _ number: UInt32) -> String {
      register.map { $0.value & 1 << number != 0 } == true ? "yes" : "no"
    }
    // Leaves and bits: Intel SDM, volume 2, CPUID; AMD APM, volume 3, appendix E.
    let (features, structured) = (leaf(1), leaf(7, 2))
    inputs[.hypervisor] = bit(features?.ecx, 31)
    inputs[.bhiControl] = bit(structured?.edx, 4)
    inputs[.rrsbaControl] = bit(structured?.edx, 2)
    inputs[.family] = features.map { familyAndModel($0.eax.value) } ?? unknown
    inputs[.fred] = bit(leaf(7, 1)?.eax, 17)
    inputs[.vendor] = leaf(0).map { text($0.ebx, $0.edx, $0.ecx) } ?? unknown
    inputs[.signature] = leaf(0x4000_0000).map { text($0.ebx, $0.ecx, $0.edx) } ?? "none"
    // IA32_ARCH_CAPABILITIES (Intel SDM, volume 4, table 2-2).
    let capabilities = trace.msrs.last { $0.index.value == 0x10a && $0.kind == .read }?.value?.value
    func capability(_ number: UInt64) -> String {
      capabilities.map { $0 & 1 << number != 0 } == true ? "yes" : "no"
    }
    inputs[.bhiNo] = capability(20)
    inputs[.rrsba] = capability(19)
    let hasAutomaticIBRS = bit(leaf(0x8000_0021)?.eax, 8) == "yes"
    inputs[.enhancedIBRS] = hasAutomaticIBRS ? "yes" : capability(1)
    return inputs
  }
}

/// Family and model as `0x6-0x8f`, of leaf 1's EAX (Intel SDM, volume 2, CPUID).
private func familyAndModel(_ signature: UInt32) -> String {
  let (base, low) = (signature >> 8 & 0xf, signature >> 4 & 0xf)
  let family = base == 0xf ? base + (signature >> 20 & 0xff) : base
  let model = base == 0x6 || base == 0xf ? low | signature >> 12 & 0xf0 : low
  return "\(hexadecimal(UInt64(family)))-\(hexadecimal(UInt64(model)))"
}

/// The text that three registers spell.
private func text(_ registers: Hex32...) -> String {
  let bytes = registers.flatMap { register in
    (0..<4).map { UInt8(truncatingIfNeeded: register.value >> ($0 * 8)) }
  }
  let spelt = bytes.filter { (0x20..<0x7f).contains($0) }
  return spelt.isEmpty ? "none" : String(decoding: spelt, as: UTF8.self)
}
