import BootMachine
import Mitigation

extension HostInspection {
  /// What is wrong with what KVM says.
  func findings(on report: HostReport) -> [Finding] {
    if let reason = report.undeterminedBecause {
      return [Finding(.hostUndetermined, "KVM could not be asked: \(reason)")]
    }
    let rules = HostRules(report, contract: contract)
    return [
      rules.unjustified, rules.listed, rules.withoutMeans, rules.notOffered, rules.wishes,
      rules.silent, rules.undetermined,
    ].compactMap(\.self)
  }
}

/// The rules about KVM's answers, each over all hosts.
private struct HostRules {
  let report: HostReport
  let contract: Contract

  init(_ report: HostReport, contract: Contract) {
    self.report = report
    self.contract = contract
  }

  /// A finding about the hosts for which `isWrong` holds; nil if there are none.
  private func finding(
    _ rule: RuleID, at locations: [Location], _ message: (Int) -> String,
    where isWrong: (HostOutcome) -> Bool
  ) -> Finding? {
    let hosts = report.hosts.filter(isWrong)
    guard !hosts.isEmpty else { return nil }
    return Finding(
      rule, message(hosts.count), paths: hosts.map(\.id), locations: locations)
  }

  private func hosts(_ count: Int) -> String { count == 1 ? "one host" : "\(count) hosts" }

  var unjustified: Finding? {
    finding(.unjustifiedPromise, at: report.asked) {
      "KVM says that the short sequence is adequate on \(hosts($0)) where nothing makes it so"
    } where: { host in
      guard !host.isJustified else { return false }
      return host.promises?.contains(.shortAdequate) == true
        // Without the control in use nothing is forced, whatever was asked for.
        || host.ableToForce == false && host.takesControl != true
          && host.machines.contains { $0.promises?.contains(.shortAdequate) == true }
    }
  }

  /// Whether KVM itself lists a bit of the contract, which only a VMM may set.
  var listed: Finding? {
    guard case .cpuid(_, _, let register) = contract.place, contract.host != nil else { return nil }
    let mask = [contract.shortAdequate, contract.longRequired].compactMap(\.self)
      .reduce(UInt32(0)) { $0 | 1 << UInt32($1) }
    return finding(.hintListedAsSupported, at: report.asked) {
      "KVM_GET_SUPPORTED_CPUID lists the contract's bits on \(hosts($0))"
    } where: { host in
      guard let listed = host.supported else { return false }
      let value =
        switch register {
        case .eax: listed.eax
        case .ebx: listed.ebx
        case .ecx: listed.ecx
        case .edx: listed.edx
        }
      return value.value & mask != 0
    }
  }

  var withoutMeans: Finding? {
    finding(.forcingWithoutMeans, at: report.asked + report.fields) { count in
      report.fields.isEmpty
        ? "KVM says on \(hosts(count)) that it can force BHI_DIS_S, and its code names none of the "
          + "VMCS fields that hold the bit"
        : "KVM says on \(hosts(count)) that it can force BHI_DIS_S, or agrees to, without BHI_CTRL "
          + "and the control in use"
    } where: { host in
      let claims =
        host.ableToForce == true
        || host.machines.contains { $0.wish == .force && $0.accepted == true }
      let lacks =
        !host.facts.showsBHIControl || !host.facts.offersControl || host.takesControl == false
        || report.fields.isEmpty
      return claims && lacks
    }
  }

  var notOffered: Finding? {
    finding(.meansNotOffered, at: report.asked + report.fields) {
      "KVM takes up the control on \(hosts($0)), and says that it cannot force BHI_DIS_S"
    } where: { host in
      host.takesControl == true && host.facts.showsBHIControl && host.ableToForce == false
        && !report.fields.isEmpty
    }
  }

  /// A VM that KVM agreed to force for is promised it; one that is not forced for is promised no more
  /// than the host alone can.
  var wishes: Finding? {
    finding(.wishIgnored, at: report.asked) {
      "KVM's promise to a VM does not follow what was asked for the VM, on \(hosts($0))"
    } where: { host in
      guard host.ableToForce == true, let alone = host.promises?.contains(.shortAdequate) else {
        return false
      }
      return host.machines.contains { machine in
        guard let told = machine.promises?.contains(.shortAdequate) else { return false }
        return switch machine.wish {
        case .nothing: false
        case .force: machine.accepted == true ? !told : told != alone
        case .stop: told != alone || machine.accepted == false
        }
      }
    }
  }

  var silent: Finding? {
    let known = report.hosts.filter { $0.starts == true && $0.undeterminedBecause == nil }
    guard !known.isEmpty, report.hosts.allSatisfy({ $0.undeterminedBecause == nil }),
      known.allSatisfy({ host in
        host.promises?.isEmpty == true && host.ableToForce != true
          && host.machines.allSatisfy { $0.promises?.isEmpty ?? true }
      })
    else { return nil }
    return Finding(
      .promisesNothing,
      "KVM promises nothing, and forces nothing, on any of the \(known.count) hosts where it starts"
    )
  }

  var undetermined: Finding? {
    let hosts = report.hosts.filter { $0.undeterminedBecause != nil }
    guard let reason = hosts.first?.undeterminedBecause else { return nil }
    return Finding(
      .hostUndetermined,
      "what KVM says is unknown on \(hosts.count) of \(report.hosts.count) hosts: \(reason)",
      paths: hosts.map(\.id))
  }
}

extension HostOutcome {
  /// Whether the host alone makes the short sequence adequate.
  fileprivate var isJustified: Bool {
    facts.isGuest
      ? statement == .shortAdequate : facts.isKnownOld || facts.affected == false
  }
}
