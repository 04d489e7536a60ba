public import Mitigation

/// The report for people: for each image one line with its verdict, and the details below it.
public struct TextReport: Sendable {
  private let colour: Bool
  private let width: Int?
  private let isBrief: Bool

  /// - Parameters:
  ///   - colour: whether the text may hold the escape sequences of ECMA-48.
  ///   - width: the columns of the terminal, at which sentences and the last columns of tables
  ///     are wrapped; nil for a file, where nothing is.
  ///   - isBrief: whether each image gets its first line alone.
  public init(colour: Bool = false, width: Int? = nil, isBrief: Bool = false) {
    self.colour = colour
    self.width = width
    self.isBrief = isBrief
  }

  /// The text for all images of `report`, an empty line between them; empty if there are none.
  public func render(_ report: Report) -> String {
    var page = Page(colour: colour, width: width)
    for (index, image) in report.images.enumerated() {
      if index > 0, !isBrief { page.blank() }
      page.verdictLine(image)
      guard image.error == nil, !isBrief else { continue }
      page.findings(image.findings)
      page.kernel(image)
      page.sequence(image.sequence)
      page.sites(image)
      page.bits(image)
      page.decisions(image.paths, policy: report.policy)
      page.host(image.host)
      page.notes(image)
    }
    if !isBrief { page.overrides(report.overrides) }
    return page.text
  }
}

extension Page {
  /// `vmlinuz: short (5x5) sequence only, 4 sites; inadequate on 2 of 9 boot paths; 1 error (BHB020)`
  fileprivate mutating func verdictLine(_ image: ImageReport) {
    if let error = image.error {
      let offset = error.offset.map { " at offset \(hexadecimal($0.value))" } ?? ""
      line(
        Cell("\(image.path): ", .heading), Cell("not inspected: ", .bad),
        Cell("\(error.message) (\(error.code.rawValue)\(offset))"))
      return
    }
    // An alternative inside the sequence changes it and does not run it.
    let siteCount = image.sites.count { $0.kind != .inside }
    let sites = image.sequence?.shape == .absent ? "" : ", \(counted(siteCount, "site"))"
    let paths = image.paths.isEmpty ? "no boot path was run" : image.paths.summary
    let worst = image.findings.map(\.severity).max()
    let style: Style =
      switch worst {
      case .error?: .bad
      case .warning?: .caution
      case .note?, nil: image.hasUndeterminedPath ? .caution : .good
      }
    line(
      Cell("\(image.path): ", .heading), Cell("\(image.sequence.summary)\(sites)", style),
      Cell("; \(paths); "), Cell(image.findings.summary))
  }

  fileprivate mutating func kernel(_ image: ImageReport) {
    heading("Kernel")
    guard let kernel = image.kernel else {
      paragraph(unknown)
      return
    }
    var rows: [(String, Cell)] = [
      ("release", Cell(kernel.release ?? unknown)),
      ("build id", Cell(kernel.buildID ?? unknown)),
      ("architecture", Cell(kernel.architecture?.rawValue ?? unknown)),
      ("size", Cell(kernel.size.map { counted($0, "byte") } ?? unknown)),
      ("banner", Cell(kernel.banner ?? unknown)),
      ("symbols from", Cell(image.symbolsFrom?.rawValue ?? unknown)),
      ("built-in command line", Cell(kernel.builtInCommandLineWords)),
    ]
    if let line = kernel.artefactCommandLine {
      rows.append(("its own command line", Cell(quoted(line))))
    }
    if let bootconfig = kernel.bootconfig { rows.append(("bootconfig", Cell(quoted(bootconfig)))) }
    if let hash = image.sha256 { rows.append(("sha256", Cell(hash))) }
    let configuration = kernel.configuration.map { options in
      options.isEmpty
        ? "none of the options asked for is set"
        : options.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
    }
    rows.append(("configuration", Cell(configuration ?? unknown)))
    facts(rows)
  }

  fileprivate mutating func sequence(_ sequence: ClearingSequence?) {
    guard let sequence else {
      heading("Sequence", unknown)
      return
    }
    guard sequence.shape != .absent else {
      heading("Sequence", "none")
      return
    }
    heading(
      "Sequence",
      [
        sequence.symbol ?? "symbol unknown",
        sequence.address.map { "at \($0)" } ?? "address unknown",
        sequence.size.map { counted($0, "byte") } ?? "size unknown",
        sequence.shape.words,
      ].joined(separator: ", "))
    table(
      header: ["outer x inner", "class", "taken branches", "barrier", "selected by"],
      sequence.variants.map { variant in
        [
          Cell(variant.counts), Cell(variant.sequenceClass?.rawValue ?? unknown),
          Cell(variant.takenBranches.map(String.init) ?? unknown), Cell(yesOrNo(variant.barrier)),
          Cell(
            variant.selectedBy, below: variant.undeterminedBecause.map { "not measured: \($0)" }),
        ]
      })
    for placement in sequence.returns where !placement.isInUpperHalf {
      paragraph(
        "return at \(placement.address): its last byte is byte \(placement.lastByteInLine) of its "
          + "cache line, in the lower half", style: .caution)
    }
  }

  fileprivate mutating func sites(_ image: ImageReport) {
    let isAbsent = image.sequence?.shape == .absent
    heading("Sites", image.sites.isEmpty ? "none" : "")
    if !image.sites.isEmpty {
      table(
        header: ["entry point", "kind", "where", "feature", "original → replacement"],
        image.sites.map { site in
          [
            Cell(site.entryPoint?.rawValue ?? unknown), Cell(site.kind.rawValue),
            Cell(site.place), Cell(site.condition), Cell(site.code),
          ]
        })
    }
    if !image.missingSites.isEmpty && !isAbsent {
      paragraph(
        "no site at: " + image.missingSites.map(\.rawValue).joined(separator: ", "), style: .bad)
    }
    if !image.unknownSites.isEmpty {
      paragraph(
        "unknown, in files that were not given: "
          + image.unknownSites.map(\.rawValue).joined(separator: ", "), style: .caution)
    }
  }

  fileprivate mutating func bits(_ image: ImageReport) {
    for (title, bits) in [
      ("Bits of a hypervisor", image.bits), ("Other influences", image.otherInfluences),
    ] {
      // Without a boot path nobody could look for them, and the table below says so.
      guard let bits else {
        if !image.paths.isEmpty { heading(title, "unknown: not looked for") }
        continue
      }
      heading(title, bits.isEmpty ? "none" : "")
      guard !bits.isEmpty else { continue }
      table(
        header: ["bit", "meaning", "contract", "read at"],
        bits.map { bit in
          [
            Cell(bit.place), Cell(bit.meaning?.rawValue ?? unknown), Cell(bit.contract ?? "none"),
            Cell(bit.readAt ?? unknown),
          ]
        })
    }
  }

  fileprivate mutating func decisions(_ paths: [JudgedPath], policy: String?) {
    guard !paths.isEmpty else {
      heading("Boot paths", "none was run")
      return
    }
    let policy = policy.map { ", judged by the policy '\($0)'" } ?? ""
    heading("Boot paths", paths.summary + policy)
    let decisions = DecisionTable(paths)
    table(
      header: ["environment", "statement", "command line", "verdict", "protection", "BHI", "CPUs"],
      decisions.rows.map { row in
        let path = row.example
        return [
          Cell(path.path.environment), Cell(path.path.statement.rawValue),
          Cell(path.path.commandLineName), path.verdict.cell, Cell(path.protection),
          Cell(path.outcome.bhiPart ?? unknown),
          Cell(
            decisions.cpus(of: row),
            below: path.outcome.undeterminedBecause.map { "undetermined: \($0)" }),
        ]
      })
    // The table names the lines; what they hold is said once.
    let lines = distinct(paths.map { [$0.path.commandLineName, $0.path.commandLine] })
    for line in lines where !line[1].isEmpty && line[0] != line[1] {
      paragraph("\(line[0]) is the command line \(quoted(line[1]))", style: .quiet)
    }
  }

  fileprivate mutating func notes(_ image: ImageReport) {
    if !image.stubs.isEmpty {
      heading("Replaced in the boot machine")
      facts(image.stubs.map { ($0.symbol, Cell($0.reason)) })
    }
    if !image.notes.isEmpty {
      heading("Notes")
      for note in image.notes { paragraph(note) }
    }
  }

  fileprivate mutating func overrides(_ overrides: [Report.Override]) {
    guard !overrides.isEmpty else { return }
    heading("Data of the user's in place of the built-in")
    facts(overrides.map { ($0.file, Cell("sha256 \($0.hash)")) })
  }
}
