import Mitigation

/// `entry_SYSCALL_64+0x5d (0xffffffff81e00123)`; what is not in vmlinux with its file.
private func describe(_ image: String, _ symbol: String?, _ address: Address) -> String {
  let place = symbol.map { "\($0) (\(address))" } ?? "\(address)"
  return image == "vmlinux" ? place : "\(image): \(place)"
}

extension Location {
  var place: String { describe(image, symbol, address) }
}

extension Site {
  var place: String { describe(image, symbol, address) }

  /// The feature the site hangs on, with the sense of the test.
  var condition: String {
    switch kind {
    case .alternative, .inside:
      feature.map { (negated ? "not " : "") + $0.description } ?? unknown
    case .direct, .staticCall, .jit:
      feature.map { (negated ? "not " : "") + $0.description } ?? "none"
    }
  }

  /// What the site's code is and becomes; for a site that is not exchanged, what it runs.
  var code: String {
    let before = originalText ?? original?.description
    let after = replacementText ?? replacement?.description
    if before == nil, after == nil { return target.map { "runs \($0)" } ?? unknown }
    // Only alternatives have a replacement.
    if after == nil, kind != .alternative, kind != .inside { return before ?? unknown }
    return "\(before ?? unknown) → \(after ?? unknown)"
  }
}

extension ListenedBit {
  /// `CPUID 0x40000001 EDX bit 3`, `MSR 0x50000001 bit 0`.
  var place: String {
    switch source {
    case .cpuid:
      "CPUID \(leaf?.description ?? unknown) \(register?.rawValue.uppercased() ?? unknown) bit \(bit)"
    case .msr:
      "MSR \(index?.description ?? unknown) bit \(bit)"
    }
  }
}

extension KernelIdentity {
  var builtInCommandLineWords: String {
    guard let line = builtInCommandLine else { return unknown }
    guard !line.isEmpty else { return "none" }
    switch builtInOverrides {
    case true?: return quoted(line) + ", in place of the boot loader's"
    case false?: return quoted(line) + ", before the boot loader's"
    case nil: return quoted(line) + ", unknown whether in place of the boot loader's"
    }
  }
}

extension [Finding] {
  /// `2 errors (BHB002, BHB020), 1 note (BHB050)`.
  var summary: String {
    let parts = Severity.allCases.sorted(by: >).compactMap { severity -> String? in
      let ids = filter { $0.severity == severity }.map(\.id)
      guard !ids.isEmpty else { return nil }
      let names = distinct(ids).map(\.description).joined(separator: ", ")
      return "\(counted(ids.count, severity.rawValue)) (\(names))"
    }
    return parts.isEmpty ? "no finding" : parts.joined(separator: ", ")
  }
}
