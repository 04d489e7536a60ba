import BootMachine
import KernelImage
import Mitigation

/// Chooses the paths from which bits are flipped: one for each thing that could make a difference.
struct BasePaths {
  /// Who speaks, what was chosen, and what was read from the hypervisor's leaves.
  private struct Situation: Hashable {
    var hypervisor: BootEnvironment.Hypervisor
    var outcome: [EntryPoint: EntryPointOutcome]
    var registers: Set<HypervisorRegister>
  }

  /// A register that is flipped once; what announces other registers, once for each hypervisor.
  private struct Flipped: Hashable {
    var hypervisor: BootEnvironment.Hypervisor?
    var register: HypervisorRegister
  }

  private(set) var paths: [BasePath] = []
  private var situations: Set<Situation> = []
  private var flipped: Set<Flipped> = []

  private let scope: Discovery.Scope

  /// - Parameter results: of `rows`, in their order, with what was read.
  init(
    _ rows: [Matrix.Row], _ results: [BootResult], of kernel: KernelImage, scope: Discovery.Scope
  ) {
    self.scope = scope
    let line = EffectiveCommandLine(kernel.identity)
    let silent = zip(rows, results).filter { row, result in
      row.path.statement == .silent && row.environment.knowsItIsGuest
        && row.environment.confidential == nil && result.isDetermined
    }
    // Where the plain command line leads nowhere, another one may: `spectre_bhi=on`.
    for isPlain in [true, false] {
      if !isPlain, paths.contains(where: { $0.result.uses(.sequence) }) { break }
      for (row, result) in silent where (row.path.commandLine.isEmpty) == isPlain {
        add(row, result, line)
      }
    }
  }

  private mutating func add(
    _ row: Matrix.Row, _ result: BootResult, _ line: EffectiveCommandLine
  ) {
    // Where neither the sequence nor the hardware control is used, no bit can choose a sequence.
    guard let hypervisor = row.environment.hypervisor,
      result.uses(.sequence) || result.uses(.hardware)
    else { return }
    let read = ReadRegister.all(in: result.reads, of: row.processor)
    let registers = read.filter { scope.includes($0.register, of: row.processor) }
    let situation = Situation(
      hypervisor: hypervisor, outcome: result.entryPoints,
      registers: Set(registers.map(\.register).filter(\.isLeaf)))
    let isNew = situations.insert(situation).inserted
    let wanted = registers.filter { read in
      // The leaves of a hypervisor are few: they are flipped in every situation.
      if read.register.isLeaf { return isNew }
      // A boot reads dozens of model-specific registers, of 64 bits each. Where the hardware
      // protects already, none of them can turn one sequence into the other.
      guard result.uses(.sequence) else { return false }
      let announces = read.register == .msr(MSRIndex.archCapabilities)
      let flip = Flipped(hypervisor: announces ? hypervisor : nil, register: read.register)
      return flipped.insert(flip).inserted
    }
    // Nobody states anything by the rest as far as is known. Each is searched where it is met first.
    let grouped = read.filter { read in
      guard result.uses(.sequence), !scope.includes(read.register, of: row.processor) else {
        return false
      }
      let speaker = read.register.isLeaf ? hypervisor : nil
      return flipped.insert(Flipped(hypervisor: speaker, register: read.register)).inserted
    }
    guard !wanted.isEmpty || !grouped.isEmpty else { return }
    paths.append(
      BasePath(
        row: row, commandLine: line.text(for: row.commandLine), result: result,
        registers: wanted, grouped: grouped))
  }
}

extension HypervisorRegister {
  /// Whether it is a register of a CPUID leaf.
  fileprivate var isLeaf: Bool {
    if case .cpuid = self { true } else { false }
  }
}
