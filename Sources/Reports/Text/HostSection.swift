import Mitigation

/// What KVM says, the CPUs with the same answers taken together.
struct HostTable {
  struct Row {
    var example: HostOutcome
    var cpus: [String]
  }

  static let header = [
    "host", "is told", "promises", "can force BHI_DIS_S", "to a VM", "VM with force",
    "VM with stop", "supported CPUID", "CPUs",
  ]

  let rows: [Row]

  init(_ hosts: [HostOutcome]) {
    var rows: [Row] = []
    var places: [[String]: Int] = [:]
    for host in hosts {
      let key = Self.answers(of: host) + [host.undeterminedBecause ?? ""]
      if let place = places[key] {
        rows[place].cpus.append(host.cpu)
      } else {
        places[key] = rows.count
        rows.append(Row(example: host, cpus: [host.cpu]))
      }
    }
    self.rows = rows
  }

  /// The texts of a row, as `header` names them.
  func words(of row: Row) -> [String] {
    Self.answers(of: row.example) + [row.cpus.joined(separator: ", ")]
  }

  private static func answers(of host: HostOutcome) -> [String] {
    func machine(_ wish: HostVM.Wish) -> String {
      guard let machine = host.machines.first(where: { $0.wish == wish }) else { return "-" }
      guard let accepted = machine.accepted else { return unknown }
      // A VM that wishes nothing has nothing to be agreed to.
      let answer = wish == .nothing ? "" : accepted ? "agreed: " : "refused: "
      return answer + machine.promises.words
    }
    return [
      host.host, host.facts.isGuest ? host.statement.rawValue : "-", host.promise,
      host.force, machine(.nothing), machine(.force), machine(.stop), host.listed,
    ]
  }
}

extension [Statement]? {
  fileprivate var words: String {
    guard let self else { return unknown }
    return self.isEmpty ? "nothing" : self.map(\.rawValue).joined(separator: ", ")
  }
}

extension HostOutcome {
  /// What /dev/kvm says holds here.
  var promise: String {
    if starts == false { return "KVM does not start (\(startError.map(String.init) ?? unknown))" }
    return promises.words
  }

  /// Whether it can force, and what it does about the control.
  fileprivate var force: String {
    guard let ableToForce else { return starts == false ? "-" : unknown }
    guard facts.offersControl else { return yesOrNo(ableToForce) }
    let use =
      switch takesControl {
      case true?: "takes the control"
      case false?: "leaves the control"
      case nil: "control unknown"
      }
    return "\(yesOrNo(ableToForce)), \(use)"
  }

  fileprivate var listed: String {
    guard starts != false else { return "-" }
    return supported.map { "EAX \($0.eax) EDX \($0.edx)" } ?? unknown
  }
}

extension HostReport {
  /// What it comes to: `promises short-adequate on 24 of 68 hosts, can force on 12`.
  var summary: String {
    if let undeterminedBecause { return "unknown: \(undeterminedBecause)" }
    let promising = hosts.count { $0.promises?.isEmpty == false }
    let forcing = hosts.count { $0.ableToForce == true }
    let unknowns = hosts.count { $0.undeterminedBecause != nil }
    let parts = [
      promising == 0
        ? "promises nothing by itself"
        : "promises something on \(promising) of \(hosts.count) hosts",
      forcing == 0 ? "can force BHI_DIS_S nowhere" : "can force BHI_DIS_S on \(forcing)",
      unknowns == 0 ? nil : "unknown on \(unknowns)",
    ]
    return parts.compactMap(\.self).joined(separator: ", ")
  }
}

extension Page {
  /// What KVM can promise; nothing where it was not asked.
  mutating func host(_ host: HostReport?) {
    guard let host else { return }
    heading("Host", host.summary)
    guard host.undeterminedBecause == nil else { return }
    let source = host.modules.isEmpty ? "the image itself" : host.modules.joined(separator: ", ")
    paragraph("KVM from \(source), asked by the contract \(host.contract)", style: .quiet)
    let table = HostTable(host.hosts)
    self.table(
      header: HostTable.header,
      table.rows.map { row in
        var cells = table.words(of: row).map { Cell($0) }
        if let reason = row.example.undeterminedBecause {
          cells[cells.count - 1].below = "undetermined: \(reason)"
        }
        return cells
      })
    if !host.fields.isEmpty {
      paragraph(
        "VMCS fields of SPEC_CTRL's mask and shadow at: "
          + abridged(host.fields.map(\.place), limit: 5))
    }
    heading("Replaced while KVM ran")
    facts(host.stubs.map { ($0.symbol, Cell($0.reason)) })
  }
}
