public import ArgumentParser
public import Audit
public import BootMachine
public import Inspection
public import Mitigation

// The values of other targets that the command line takes.

extension Severity: ExpressibleByArgument {}
extension Statement: ExpressibleByArgument {}
extension Sample: ExpressibleByArgument {}
extension AuditSummary.Grouping: ExpressibleByArgument {}

extension Shard: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}

extension GateCondition: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}

extension RuleID: ExpressibleByArgument {
  public init?(argument: String) {
    guard let rule = Rule.of(RuleID(argument)) else { return nil }
    self = rule.id
  }
}

extension MSRDefault: ExpressibleByArgument {
  public init?(argument: String) {
    if argument == "fault" {
      self = .fault
    } else if let value = parseNumber(argument, as: UInt64.self) {
      self = .value(value)
    } else {
      return nil
    }
  }
}

/// A register with its value, as the command line writes it.
struct MSRValue: ExpressibleByArgument {
  var index: UInt32
  var value: UInt64

  init?(argument: String) {
    let parts = argument.split(separator: "=", maxSplits: 1)
    guard parts.count == 2, let index = parseNumber(parts[0], as: UInt32.self),
      let value = parseNumber(parts[1], as: UInt64.self)
    else { return nil }
    self.index = index
    self.value = value
  }
}
