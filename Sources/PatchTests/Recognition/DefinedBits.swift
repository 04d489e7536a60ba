import Foundation
import Mitigation

/// The constants that a series defines, and the contract they make.
struct DefinedBits: Sendable {
  private var shortBit: Int?
  private var longBit: Int?
  private var place: Place?

  private enum Place: Hashable {
    case kvm(register: String)
    case msr(String)
  }

  private static let shortWords = ["SHORT", "ADEQUATE", "SUFFICIENT"]
  private static let longWords = ["LONG", "REQUIRED"]
  /// What names of this area contain.
  private static let areaWords = ["BHB", "BHI", "BRANCH_HISTORY", "RRSBA"]

  /// The definitions in a hunk's added lines.
  mutating func read(
    _ hunk: PatchHunk, _ file: PatchedFile, _ patch: KernelPatch
  ) -> [TestPlan.Definition]? {
    var found: [TestPlan.Definition] = []
    for line in hunk.added {
      guard let (name, text) = Self.definition(line.text),
        Self.areaWords.contains(where: name.contains)
      else { continue }
      let value = Self.value(text)
      found.append(
        TestPlan.Definition(
          name: name, value: value.map(String.init) ?? text, patch: patch.name, line: line.number,
          taken: take(name, value)))
    }
    return found.isEmpty ? nil : found
  }

  /// What a definition is taken for.
  private mutating func take(_ name: String, _ value: Int?) -> String {
    if name.hasPrefix("X86_FEATURE_") || name.hasPrefix("X86_BUG_") {
      guard let value else { return "not understood: its number is no constant" }
      return "a feature of the kernel's own: \(value / 32)*32+\(value % 32)"
    }
    if name.hasPrefix("KVM_CAP_") { return "a capability of KVM's: nothing that a guest sees" }
    let register: String?
    if name.hasPrefix("KVM_HINTS_") {
      register = "edx"
    } else if name.hasPrefix("KVM_FEATURE_") {
      register = "eax"
    } else {
      register = nil
    }
    if let register {
      guard let value, (0..<32).contains(value) else {
        return "not understood: its value is no bit's number"
      }
      guard let meaning = meaning(of: name, value) else {
        return "not understood: its name says neither that short is adequate nor that long is "
          + "required"
      }
      place = .kvm(register: register)
      return "the contract: \(meaning) is bit \(value) of \(register.uppercased()) in KVM's leaf "
        + "base + 1"
    }
    if name.hasPrefix("MSR_") {
      guard let value else { return "not understood: its index is no constant" }
      place = place ?? .msr(hexadecimal(UInt64(value)))
      return "the contract: a virtual register, \(hexadecimal(UInt64(value)))"
    }
    if let value, let meaning = meaning(of: name, value) {
      return "the contract: \(meaning) is bit \(value)"
    }
    return "nothing that a boot path depends on, as far as is known"
  }

  private mutating func meaning(of name: String, _ value: Int) -> String? {
    // REQUIRED alone says what LONG_REQUIRED does; with SHORT in it a name is about the short one.
    if Self.shortWords.contains(where: name.contains), !name.contains("LONG") {
      shortBit = value
      return Statement.shortAdequate.rawValue
    }
    if Self.longWords.contains(where: name.contains) {
      longBit = value
      return Statement.longRequired.rawValue
    }
    return nil
  }

  /// What the series' bits make together; nil if it defines none that says that short is adequate.
  var contract: PlannedContract? {
    guard let shortBit, let place else { return nil }
    var contract = PlannedContract(
      id: "patch", title: "what the patch defines", signature: nil, offset: nil, register: nil,
      msr: nil, shortAdequate: shortBit, longRequired: longBit, source: "the patch")
    switch place {
    case .kvm(let register):
      contract.signature = "KVMKVMKVM"
      contract.offset = "0x1"
      contract.register = register
    case .msr(let index): contract.msr = index
    }
    return contract
  }

  // MARK: C

  /// The number of the feature of this area that a line defines; nil if it defines none.
  static func feature(_ line: String) -> Int? {
    guard let (name, text) = definition(line), name.hasPrefix("X86_FEATURE_"),
      areaWords.contains(where: name.contains)
    else { return nil }
    return value(text)
  }

  /// `#define NAME VALUE`, without comments.
  private static func definition(_ line: String) -> (name: String, value: String)? {
    let words = line.trimmed
    guard words.hasPrefix("#define") else { return nil }
    let rest = words.dropFirst("#define".count).trimmed
    let name = rest.prefix { $0 == "_" || $0.isASCII && ($0.isLetter || $0.isNumber) }
    guard !name.isEmpty else { return nil }
    var value = rest.dropFirst(name.count)
    if let comment = value.range(of: "/*") { value = value[..<comment.lowerBound] }
    let text = value.trimmed
    return text.isEmpty ? nil : (String(name), text)
  }

  /// The value of `5`, `0x10`, `BIT(3)`, `(21 * 32 + 21)`, `( 1*32+ 2)`; nil for anything else.
  static func value(_ text: String) -> Int? {
    var text = text.filter { $0 != " " && $0 != "\t" }
    for prefix in ["BIT_ULL(", "BIT(", "_BITUL(", "_BITULL("] where text.hasPrefix(prefix) {
      guard text.hasSuffix(")") else { return nil }
      return value(String(text.dropFirst(prefix.count).dropLast()))
    }
    while text.hasPrefix("("), text.hasSuffix(")") { text = String(text.dropFirst().dropLast()) }
    var sum = 0
    for term in text.split(separator: "+", omittingEmptySubsequences: false) {
      var product = 1
      for factor in term.split(separator: "*", omittingEmptySubsequences: false) {
        var digits = factor
        while let last = digits.last, "uUlL".contains(last) { digits = digits.dropLast() }
        guard let number = parseNumber(digits, as: UInt32.self) else { return nil }
        let (result, overflows) = product.multipliedReportingOverflow(by: Int(number))
        guard !overflows else { return nil }
        product = result
      }
      let (result, overflows) = sum.addingReportingOverflow(product)
      guard !overflows else { return nil }
      sum = result
    }
    return sum
  }
}
