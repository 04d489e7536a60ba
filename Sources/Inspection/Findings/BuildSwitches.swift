import Mitigation

/// What of a build can switch the mitigation off.
enum BuildSwitches {
  /// What the image is known to have of it, in words; empty if nothing is known.
  static func words(_ kernel: KernelIdentity?) -> String {
    guard let kernel else { return "" }
    var words: [String] = []
    if let line = kernel.builtInCommandLine, !line.isEmpty {
      words.append("built-in command line \"\(line)\"")
    }
    if let line = kernel.artefactCommandLine, !line.isEmpty {
      words.append("the image's own command line \"\(line)\"")
    }
    if let bootconfig = kernel.bootconfig, !bootconfig.isEmpty {
      words.append("an embedded bootconfig")
    }
    if let options = kernel.configuration {
      // An option that is not in the configuration is either off or older than this kernel.
      words += ["CONFIG_KVM", "CONFIG_MITIGATION_SPECTRE_BHI"].filter { options[$0] == nil }
        .map { "\($0) is not set" }
    }
    return words.joined(separator: ", ")
  }
}
