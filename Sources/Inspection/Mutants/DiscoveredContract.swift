import Alternatives
import BootMachine
import Mitigation

extension Contract {
  /// The contract that an image speaks by the bits that were found in it; nil if there is none, or
  /// if what was found does not say how a hypervisor would have to state it.
  init?(_ found: DiscoveryResult, _ rows: [Matrix.Row], _ catalog: MatrixCatalog) {
    let bits = found.detections
    if let known = bits.lazy.compactMap({ $0.contract.flatMap(catalog.contract(id:)) }).first {
      self = known
      return
    }
    // An MSR that no contract speaks of: what announces it is not among the bits.
    guard let short = bits.first(where: { $0.meaning == .shortAdequate }),
      let leaf = short.leaf?.value,
      let register = short.register.flatMap({ CPUIDRegister(rawValue: $0.rawValue) })
    else { return nil }
    let base = HypervisorRegister.base(of: leaf)
    let signatures = found.observations.filter { $0.bit.leaf == short.leaf }.compactMap { seen in
      rows.first { $0.path.id == seen.path }?.processor.hypervisorSignature(at: base)
    }
    guard let signature = signatures.first else { return nil }
    id = "discovered"
    title = "the bits that the image was found to listen to"
    place = .cpuid(signature: signature, offset: leaf &- base, register: register)
    shortAdequate = short.bit
    longRequired =
      bits.first {
        $0.meaning == .longRequired && $0.leaf == short.leaf && $0.register == short.register
      }?.bit
    source = nil
  }
}

extension Discovery {
  /// The contract that an image speaks, found by flipping bits on the paths of `matrix`.
  func contract(of program: BootProgram, _ matrix: Matrix, jobs: Int) -> Contract? {
    var runner = PathRunner(jobs: jobs)
    runner.wantsReads = true
    let results = runner.results(matrix.rows, of: program)
    return Contract(search(matrix.rows, results, of: program, runner), matrix.rows, matrix.catalog)
  }
}
