/// What to ask a kernel's KVM on a host.
public struct HostRequest: Sendable {
  /// The host's processor, as the kernel sees it.
  public var processor: Processor
  public var commandLine: String
  /// The numbers of the capabilities to ask for (KVM_CAP_*); if there are none, KVM is started and
  /// not asked.
  public var extensions: [UInt32]
  /// The capability by which a VM is asked to force the hardware control; nil: no VM is asked.
  public var force: UInt32?

  public init(
    processor: Processor, commandLine: String, extensions: [UInt32], force: UInt32? = nil
  ) {
    self.processor = processor
    self.commandLine = commandLine
    self.extensions = extensions
    self.force = force
  }
}

/// Something that KVM's code answered, or why it could not be run.
public enum HostAnswer<Value: Sendable & Hashable>: Sendable, Hashable {
  case value(Value)
  case unknown(String)

  public var value: Value? {
    if case .value(let value) = self { return value }
    return nil
  }
}

/// What KVM's own code said on one host.
public struct HostAnswers: Sendable, Hashable {
  /// What userspace wishes for a VM.
  public enum Wish: Sendable, Hashable, CaseIterable {
    case nothing
    case force
    /// That forcing, which it asked for before, stops.
    case stop

    /// What it asks for, one after the other: to force, or not to.
    var requests: [Bool] {
      switch self {
      case .nothing: []
      case .force: [true]
      case .stop: [true, false]
      }
    }
  }

  /// What a VM was answered.
  public struct VirtualMachine: Sendable, Hashable {
    /// What the last KVM_ENABLE_CAP returned, or the VM's creation where nothing was wished.
    public var accepted: HostAnswer<Int> = .unknown("it was not asked")
    /// What KVM_CHECK_EXTENSION of the VM returns, by capability.
    public var extensions: [UInt32: HostAnswer<Int>] = [:]
  }

  /// Why KVM could not be run; nil if it could.
  public var failure: String?
  /// What KVM returned in place of 0 when it was started; nil if it started.
  public var startError: Int?
  /// The functions that were called, in order.
  public var ran: [String] = []
  /// What KVM_CHECK_EXTENSION returns, by capability.
  public var extensions: [UInt32: HostAnswer<Int>] = [:]
  /// What KVM_GET_SUPPORTED_CPUID lists.
  public var supported: HostAnswer<CPUIDTable> = .unknown("it was not asked")
  /// The bytes in which KVM keeps the VMX controls that it uses; nil if that place is not known.
  public var controls: [UInt8]?
  public var machines: [Wish: VirtualMachine] = [:]

  public init() {}
}
