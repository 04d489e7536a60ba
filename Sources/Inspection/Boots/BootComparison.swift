public import BootMachine
public import Mitigation

extension BootResult {
  /// What a test can look at.
  public var expected: ExpectedOutcome {
    ExpectedOutcome(
      sysfs: outcome.sysfs,
      entryPoints: entryPoints.mapValues(ExpectedOutcome.Entry.init),
      sequence: sequence.map(ExpectedOutcome.Run.init),
      sites: siteVariants.map { $0.map(ExpectedOutcome.Run.init) },
      features: outcome.evidence.features,
      affected: outcome.evidence.affected, specCtrl: outcome.evidence.specCtrl,
      log: outcome.evidence.log)
  }
}

extension RealBootSubject {
  /// What a real boot says about its row: does the table hold, and what a plan expects?
  ///
  /// The kernel's own code runs once more in the emulator, with the very answers that it got in the
  /// real boot; so a difference is one of the emulator's or the plan's, never of the processor.
  public func compared(
    _ boot: PreparedBoot, _ attempt: BootAttempt, plan: ExpectedOutcome? = nil
  ) -> BootedPath {
    var path = BootedPath(path: boot.row.path, status: .failed)
    let observation: BootObservation
    switch attempt {
    case .failed(let reason):
      path.reason = reason
      return path
    case .observed(let seen, _): observation = seen
    }
    path.sysfs = observation.sysfs
    path.suite = observation.suite
    var worker = PathWorker(program)
    let result = worker.run(request(observation.processor(boot.row), boot.row))
    if let reason = result.outcome.undeterminedBecause {
      path.reason = "with the CPUID of the real boot the path is undetermined: \(reason)"
      return path
    }
    if let row = boot.result?.expected {
      let differences = result.expected.differences(from: row)
      guard differences.isEmpty else {
        path.status = .skipped
        path.reason = "QEMU shows another path: \(differences.joined(separator: "; "))"
        return path
      }
    }
    path.checks = Self.checks(observation, result)
    if let plan {
      path.checks.append(
        BootCheck(
          "the plan", expected: "",
          found: result.expected.differences(from: plan).joined(separator: "; ")))
    }
    path.checks += observation.suiteChecks
    path.status = path.checks.allSatisfy(\.passed) ? .agrees : .differs
    return path
  }

  private static func checks(
    _ observation: BootObservation, _ result: BootResult
  ) -> [BootCheck] {
    var checks: [BootCheck] = []
    if observation.tier == .full {
      checks.append(
        BootCheck(
          "sysfs", expected: result.outcome.sysfs ?? "no line",
          found: observation.sysfs ?? "no line"))
    }
    checks.append(
      BootCheck(
        "log", expected: Set(result.outcome.evidence.log).sorted().joined(separator: "\n"),
        found: observation.relevantLog.joined(separator: "\n")))
    for code in result.code {
      let bytes = observation.bytes(at: code.address, count: code.bytes.count)
      checks.append(
        BootCheck(
          "\(code.isSite ? "site" : "sequence") \(code.name) \(Address(code.address))",
          expected: HexBytes(code.bytes).description,
          found: bytes.map { HexBytes($0).description } ?? "not read"))
    }
    checks.append(
      BootCheck("warnings", expected: "", found: observation.warnings.joined(separator: "\n")))
    return checks
  }
}

extension BootObservation {
  /// The row's processor as this boot saw it.
  func processor(_ row: Matrix.Row) -> Processor {
    var processor = Processor(
      id: row.processor.id, title: row.processor.title,
      cpuid: CPUIDTable(
        cpuid.map {
          CPUIDTable.Entry(
            leaf: $0.leaf.value,
            // A leaf without subleaves is asked with anything in ECX.
            subleaf: CPUIDTable.isIndexed($0.leaf.value) ? $0.subleaf.value : 0,
            registers: CPUIDRegisters(
              eax: $0.eax.value, ebx: $0.ebx.value, ecx: $0.ecx.value, edx: $0.edx.value))
        }), msrDefault: .value(0), given: ["a real boot"])
    for access in msrs { processor.msrs[access.index.value] = access.value?.value }
    return processor
  }

  /// The lines about this mitigation, without those that repeat the command line, and those of a
  /// KUnit suite.
  var relevantLog: [String] {
    let repeating = ["Command line:", "Kernel command line:", "Unknown kernel command line"]
    return Set(
      log.filter { line in
        LogSubjects.appear(in: line) && !repeating.contains(where: line.hasPrefix)
          && !line.drop(while: { $0 == " " }).hasPrefix("# bhb_kunit_")
      }
    ).sorted()
  }

  var warnings: [String] {
    // The kernel's own reports begin so; mitigations also print lines with "WARNING" in them.
    let marks = [
      "WARNING: ", "BUG: ", "kernel BUG at", "Oops", "general protection", "Kernel panic",
    ]
    return log.filter { line in marks.contains(where: line.hasPrefix) }
  }

  /// What the KUnit suite of this tool printed, from its heading to its result.
  var suite: [String] {
    let lines = log.map { $0.drop { $0 == " " } }
    guard let start = lines.firstIndex(of: "# Subtest: bhb") else { return [] }
    let rest = lines[start...]
    let end = rest.firstIndex { line in
      (line.hasPrefix("ok ") || line.hasPrefix("not ok ")) && line.hasSuffix(" bhb")
    }
    return rest[start...(end ?? rest.index(before: rest.endIndex))].map(String.init)
  }

  /// One check for each test of that suite.
  var suiteChecks: [BootCheck] {
    suite.filter { $0.hasPrefix("ok ") || $0.hasPrefix("not ok ") }.map { line in
      BootCheck(
        name: "KUnit: \(line.drop { $0 != "o" && $0 != "n" })", passed: line.hasPrefix("ok "),
        expected: "ok", found: line)
    }
  }
}
