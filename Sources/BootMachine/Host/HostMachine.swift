internal import CUnicorn
internal import Mitigation

/// Boots a kernel on a host, starts its KVM and asks it.
///
/// One thread creates, runs and frees it.
public struct HostMachine: ~Copyable {
  let program: HostProgram
  let machine: Machine

  public init(_ program: HostProgram) throws(MachineError) {
    machine = try Machine(program.image)
    self.program = program
  }

  /// Boots, starts KVM, and asks what `request` wants to know.
  ///
  /// - Throws: only if the path cannot be begun.
  public func run(_ request: HostRequest) throws(MachineError) -> HostAnswers {
    try machine.prepare(request.processor, commandLine: Array(request.commandLine.utf8))
    var answers = HostAnswers()
    for call in program.image.plan.chain {
      if let failure = machine.call(call) {
        answers.failure = "the boot did not come to its end: " + text(failure)
        return answers
      }
    }
    for parameters in program.parameters {
      if let failure = set(parameters, from: request.commandLine) {
        answers.failure = "KVM's parameters: " + text(failure)
        return answers
      }
    }
    for start in program.starts {
      switch result(of: start) {
      case .failure(let reason):
        answers.failure = "\(start.name): \(reason.text)"
        return answers
      case .success(let value):
        answers.ran.append(start.name)
        guard value == 0 else {
          answers.startError = Int(value)
          return answers
        }
      }
    }
    answers.controls = program.controls.flatMap { range in
      machine.memory.bytes(at: range.lowerBound, count: range.count).map { Array($0) }
    }
    guard !request.extensions.isEmpty else { return answers }
    for number in request.extensions {
      answers.extensions[number] = value(
        of: program.ioctl, [0, Self.checkExtension, UInt64(number)])
    }
    answers.supported = supportedCPUID()
    answers.ran.append(program.ioctl.name)
    if let force = request.force {
      for (index, wish) in HostAnswers.Wish.allCases.enumerated() {
        answers.machines[wish] = virtualMachine(index, wish, force, request.extensions)
      }
      answers.ran += [program.createMachine, program.enableCapability, program.checkMachine]
        .compactMap { $0?.name }
    }
    return answers
  }

  /// Lets the kernel's own parse_args() set what a command line says of a module, as start_kernel()
  /// does where it is built in, and load_module() with what modprobe takes from the command line.
  private func set(
    _ parameters: HostProgram.Parameters, from commandLine: String
  ) -> Failure? {
    let prefix = "\(parameters.module)."
    let words = commandLine.split(separator: " ").filter { $0.hasPrefix(prefix) }
      .map { parameters.isBuiltIn ? $0 : $0.dropFirst(prefix.count) }
    guard !words.isEmpty, let areas = machine.memory.map.host else { return nil }
    // parse_args() writes into the text while it reads it.
    let text = Array(words.joined(separator: " ").utf8) + [0]
    guard let parse = program.parseArguments, machine.memory.write(text, at: areas.arguments) else {
      return .missing("the image has no symbol parse_args")
    }
    let count = UInt64(parameters.table.count) / HostProgram.Parameters.size
    // doing, args, params, num, min_level, max_level; arg and unknown are 0 on the stack.
    let level = UInt64(bitPattern: -1)
    return machine.call(
      parse, [areas.arguments, areas.arguments, parameters.table.lowerBound, count, level, level])
  }

  // MARK: Calls

  private struct Reason: Error { var text: String }

  private func text(_ failure: Failure) -> String {
    let image = program.image
    if case .unmapped(_, let address, _) = failure, let name = image.modules?.describe(address) {
      return "it went to \(name)"
    }
    return failure.text(in: image.kernel, describe: image.describe)
  }

  /// Calls a function that returns an int, and believes it unless something went wrong on the way:
  /// a fault, a WARN, or a register that the host's profile does not define.
  private func result(
    of call: BootPlan.Call, _ arguments: [UInt64] = []
  ) -> Result<Int32, Reason> {
    let warnings = machine.state.warnings.count
    let lines = machine.state.log.count
    if let failure = machine.call(call, arguments) {
      return .failure(Reason(text: text(failure)))
    }
    if machine.state.warnings.count > warnings {
      return .failure(Reason(text: text(machine.state.warnings[warnings])))
    }
    let line = machine.state.log[lines...].first { $0.starts(with: Self.uncheckedAccess) }
    if let line {
      return .failure(Reason(text: String(decoding: line, as: UTF8.self)))
    }
    return .success(Int32(truncatingIfNeeded: machine.engine.read(UC_X86_REG_RAX)))
  }

  /// How the line begins that the kernel prints where it did not expect an MSR access to fault
  /// (ex_handler_msr(), arch/x86/mm/extable.c).
  private static let uncheckedAccess = Array("unchecked MSR access error".utf8)

  private func value(of call: BootPlan.Call, _ arguments: [UInt64]) -> HostAnswer<Int> {
    switch result(of: call, arguments) {
    case .success(let value): .value(Int(value))
    case .failure(let reason): .unknown("\(call.name): \(reason.text)")
    }
  }

  // MARK: /dev/kvm

  /// KVM_CHECK_EXTENSION, _IO(0xAE, 0x03), and KVM_GET_SUPPORTED_CPUID, _IOWR(0xAE, 0x05, 8 bytes)
  /// (include/uapi/linux/kvm.h).
  private static let checkExtension: UInt64 = 0xae03
  private static let getSupportedCPUID: UInt64 = 0xc008_ae05
  /// sizeof(struct kvm_cpuid_entry2), and KVM_MAX_CPUID_ENTRIES.
  private static let entrySize = 40
  private static let entryLimit: UInt32 = 256

  private func supportedCPUID() -> HostAnswer<CPUIDTable> {
    let nowhere = HostAnswer<CPUIDTable>.unknown("KVM_GET_SUPPORTED_CPUID gave no list")
    // struct kvm_cpuid2: nent, padding, entries.
    guard let user = machine.memory.map.host?.user.guest,
      machine.memory.write(Self.entryLimit, at: user), machine.memory.write(UInt32(0), at: user + 4)
    else { return nowhere }
    switch value(of: program.ioctl, [0, Self.getSupportedCPUID, user]) {
    case .unknown(let reason): return .unknown(reason)
    case .value(let value) where value != 0:
      return .unknown("KVM_GET_SUPPORTED_CPUID returned \(value)")
    case .value: break
    }
    guard let count = machine.memory.read(UInt32.self, at: user), count <= Self.entryLimit else {
      return nowhere
    }
    var table = CPUIDTable()
    for index in 0..<Int(count) {
      let place = user + 8 + UInt64(index * Self.entrySize)
      // function, index, flags, eax, ebx, ecx, edx
      let words = (0..<7).compactMap {
        machine.memory.read(UInt32.self, at: place + UInt64(4 * $0))
      }
      guard words.count == 7 else { return nowhere }
      table.set(
        leaf: words[0], subleaf: words[1],
        registers: CPUIDRegisters(eax: words[3], ebx: words[4], ecx: words[5], edx: words[6]))
    }
    return .value(table)
  }

  // MARK: A VM

  /// What KVM answers for a VM of which userspace wishes something.
  ///
  /// The VM is a struct kvm of zeros that KVM's own code fills in, without vCPUs: capabilities are
  /// asked for before there are any.
  private func virtualMachine(
    _ index: Int, _ wish: HostAnswers.Wish, _ capability: UInt32, _ extensions: [UInt32]
  ) -> HostAnswers.VirtualMachine {
    var answers = HostAnswers.VirtualMachine()
    guard let areas = machine.memory.map.host, let create = program.createMachine,
      let check = program.checkMachine
    else {
      answers.accepted = .unknown(
        "KVM has no symbols kvm_arch_init_vm, kvm_vm_ioctl_check_extension")
      return answers
    }
    // Slots of 1 MiB from the pool's end, which allocations do not reach.
    let end = areas.pool.guest + UInt64(areas.pool.size)
    let place = end - UInt64(index + 1) << 20
    let slots = UInt64(HostAnswers.Wish.allCases.count) << 20
    guard let next = machine.memory.read(UInt64.self, at: areas.cursor), next <= end - slots else {
      answers.accepted = .unknown("KVM took more memory than there is")
      return answers
    }
    answers.accepted = value(of: create, [place, 0])
    guard answers.accepted.value == 0 else { return answers }
    for isOn in wish.requests {
      guard let enable = program.enableCapability,
        // struct kvm_enable_cap: cap, flags, args[4].
        machine.memory.write(capability, at: areas.user.guest),
        machine.memory.write(UInt32(0), at: areas.user.guest + 4),
        machine.memory.write(UInt64(isOn ? 1 : 0), at: areas.user.guest + 8)
      else {
        answers.accepted = .unknown("KVM has no symbol kvm_vm_ioctl_enable_cap")
        return answers
      }
      answers.accepted = value(of: enable, [place, areas.user.guest])
      guard answers.accepted.value != nil else { return answers }
    }
    for number in extensions {
      answers.extensions[number] = value(of: check, [place, UInt64(number)])
    }
    return answers
  }
}
