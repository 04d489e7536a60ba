import Mitigation

extension Fixture {
  /// What somebody could put into a kernel to reach a reader's terminal, browser or parser.
  static let hostileText =
    "</script><script>window.intruded=1</script><img src=x onerror=\"window.intruded=1\">"
    + "<!-- '\"`]]>&amp;%25\\\u{2028}\u{2029}\u{0}\u{1b}[2J\u{7}\u{202e}\u{fffe}\r\n# not ok 1 é𝕏"

  /// A report in which every text of a kernel is hostile.
  static func hostile() -> Report {
    var image = shortKernel()
    let text = hostileText
    image.path = text
    image.kernel = KernelIdentity(
      release: text, buildID: text, banner: text, architecture: .amd64, size: 1,
      builtInCommandLine: text, bootconfig: text, artefactCommandLine: text,
      configuration: ["CONFIG_\(text)": text, "__proto__": text])
    image.notes = [text]
    image.stubs = [Substitution(symbol: text, reason: text)]
    image.sequence?.symbol = text
    image.sequence?.variants[0].selectedBy = text
    for index in image.sites.indices {
      image.sites[index].symbol = text
      image.sites[index].originalText = text
      image.sites[index].replacementText = text
      image.sites[index].target = "__proto__"
    }
    for index in image.paths.indices {
      image.paths[index].path.cpu = "\(text)\(index)"
      image.paths[index].path.environment = text
      image.paths[index].path.commandLine = text
      image.paths[index].path.commandLineName = text
      image.paths[index].outcome.sysfs = "Mitigation: x; BHI: \(text)"
      image.paths[index].outcome.evidence.log = [text, text]
      image.paths[index].outcome.evidence.derived = [text]
      var trace = Trace()
      trace.warnings = [text]
      trace.staticCalls = [StaticCallUpdate(key: "__proto__", target: text)]
      trace.sites = [
        PatchedSite(
          entryPoint: .bpf, address: 1, symbol: text, bytes: HexBytes([0x90]), text: text,
          runsSequence: true)
      ]
      image.paths[index].outcome.trace = trace
    }
    image.findings = [
      Finding(
        .falseClaim, text, paths: image.paths.map(\.path.id),
        locations: [Location(image: text, address: Address(1), symbol: text)])
    ]
    return report([image])
  }

  /// From such a report to another one.
  static func hostileComparison() -> ComparisonReport {
    let before = hostile().images[0]
    var after = before
    after.path = "__proto__"
    for index in after.paths.indices {
      after.paths[index].outcome.sysfs = hostileText
      after.paths[index].verdict = .inadequate
    }
    after.findings = []
    return comparison(from: before, to: after)
  }
}
