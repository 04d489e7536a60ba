import BootMachine
import Mitigation

/// Boot paths beside the decision table, at the edges of what kernels compare with: where a
/// comparison off by one, or a bit beside the right one, shows.
struct EdgePaths {
  private(set) var rows: [Matrix.Row] = []

  /// - Parameter matrix: has the rows that these are made from; those it lacks give none.
  init(_ matrix: Matrix) {
    func row(_ cpu: String, _ environment: String, _ statement: Statement = .silent)
      -> Matrix.Row?
    {
      matrix.rows.first {
        $0.path.cpu == cpu && $0.path.environment == environment
          && $0.path.statement == statement && $0.path.commandLine.isEmpty
      }
    }
    let (intel, amd) = (row("ice-lake-sp", "bare-metal"), row("zen4", "bare-metal"))
    // A hypervisor may show any name (QEMU: vendor), also one that no kernel knows.
    for plain in [intel, row("ice-lake-sp", "kvm")] {
      for (edge, name) in Self.vendors {
        add(plain, edge) { cpuid in
          Self.change(&cpuid, 0) { ($0.ebx, $0.edx, $0.ecx) = name }
        }
      }
    }
    // BHI_CTRL (bit 4 of EDX of leaf 7, subleaf 2) on a core that is older than it.
    add(intel, "bhi-ctrl") { cpuid in
      Self.change(&cpuid, 7) { $0.eax = max($0.eax, 2) }
      var features = cpuid.answer(leaf: 7, subleaf: 2)
      features.edx |= 1 << 4
      cpuid.set(leaf: 7, subleaf: 2, registers: features)
    }
    // A hypervisor may cut the leaves off (QEMU: level, xlevel), and show any bit of those beside it.
    for last in [UInt32(1), 6] {
      add(intel, "last-leaf-\(last)") { cpuid in
        Self.change(&cpuid, 0) { $0.eax = last }
        cpuid.remove(leaves: last + 1...0x3FFF_FFFF)
      }
    }
    for last in [UInt32(0x8000_0020), 0x8000_0021] {
      add(amd, "last-leaf-\(hexadecimal(UInt64(last)))") { cpuid in
        Self.change(&cpuid, 0x8000_0000) { $0.eax = last }
        cpuid.remove(leaves: last + 1...0x8FFF_FFFF)
      }
    }
    // Automatic IBRS is bit 8 of EAX of leaf 0x80000021; bits 7 and 9 are other things.
    add(amd, "auto-ibrs-alone") { Self.change(&$0, 0x8000_0021) { $0.eax = 1 << 8 } }
    add(amd, "no-auto-ibrs") { Self.change(&$0, 0x8000_0021) { $0.eax &= ~(1 << 8) } }
    // A trust domain on a processor with more leaves than the one that says so.
    for statement in [Statement.silent, .shortAdequate] {
      add(row("sapphire-rapids", "kvm-tdx-no-bhi-ctrl", statement), "last-leaf-0x24") {
        Self.change(&$0, 0) { $0.eax = 0x24 }
        $0.set(leaf: 0x24, registers: CPUIDRegisters(eax: 0, ebx: 0, ecx: 0, edx: 0))
      }
    }
    for (name, line) in Self.misspelt { add(intel, name, commandLine: line) }
  }

  /// EBX, EDX and ECX of leaf 0.
  private static let vendors: [(String, (UInt32, UInt32, UInt32))] = [
    ("unknown-vendor", (0x7472_6956, 0x436C_6175, 0x2020_5550)),  // VirtualCPU
    ("vendor-hygon", (0x6F67_7948, 0x6E65_476E, 0x656E_6975)),  // HygonGenuine
    ("vendor-centaur", (0x746E_6543, 0x4872_7561, 0x736C_7561)),  // CentaurHauls
    ("vendor-shanghai", (0x6853_2020, 0x6867_6E61, 0x2020_6961)),  //   Shanghai
  ]

  /// What a kernel must not take for a switch.
  private static let misspelt = [
    ("misspelt-end", "spectre_bhi=off! quiet"), ("misspelt-middle", "quiet!spectre_bhi=off"),
    ("misspelt-start", "xspectre_bhi=off nospectre_v2x"),
  ]

  private static func change(
    _ cpuid: inout CPUIDTable, _ leaf: UInt32, _ body: (inout CPUIDRegisters) -> Void
  ) {
    var registers = cpuid.answer(leaf: leaf, subleaf: 0)
    body(&registers)
    cpuid.set(leaf: leaf, registers: registers)
  }

  private mutating func add(
    _ plain: Matrix.Row?, _ edge: String, commandLine: String? = nil,
    _ body: (inout CPUIDTable) -> Void = { _ in }
  ) {
    guard var row = plain else { return }
    body(&row.processor.cpuid)
    row.path.cpu += commandLine == nil ? "+\(edge)" : ""
    if let commandLine {
      row.commandLine = CommandLine(name: edge, line: commandLine)
      row.path.commandLineName = edge
      row.path.commandLine = commandLine
    }
    rows.append(row)
  }
}
