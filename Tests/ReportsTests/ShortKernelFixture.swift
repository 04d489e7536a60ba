import Mitigation

extension Fixture {
  private static let mitigated = "Mitigation: Enhanced / Automatic IBRS; IBPB: conditional; BHI: "
  private static let loop = mitigated + "SW loop, KVM: SW loop"

  static let sites: [Site] = {
    let entries: [(EntryPoint, UInt64, String)] = [
      (.syscall64, 0xffff_ffff_8200_008d, "entry_SYSCALL_64+0x8d"),
      (.sysenterCompat, 0xffff_ffff_8200_1d41, "entry_SYSENTER_compat+0x6c"),
      (.syscallCompat, 0xffff_ffff_8200_1e62, "entry_SYSCALL_compat+0x72"),
      (.int80, 0xffff_ffff_8200_0b15, "asm_int80_emulation+0x15"),
    ]
    let nop = HexBytes([UInt8](repeating: 0x90, count: 5))
    let inVmlinux = entries.map { point, address, symbol in
      Site(
        entryPoint: point, kind: .alternative, image: "vmlinux", address: Address(address),
        symbol: symbol, section: ".entry.text",
        feature: FeatureReference(number: 673, name: "CLEAR_BHB_LOOP"), original: nop,
        replacement: HexBytes([0xe8, 0x12, 0x34, 0x56, 0xff]), originalText: "nop x 5",
        replacementText: "call clear_bhb_loop", target: "clear_bhb_loop", barrier: false)
    }
    let inKVM = Site(
      entryPoint: .vmexit, kind: .alternative, image: "kvm-intel", address: Address(0x10f),
      symbol: "__vmx_vcpu_run+0x10f", section: ".noinstr.text",
      feature: FeatureReference(number: 676, name: nil), original: nop,
      replacement: HexBytes([0xe8, 0, 0, 0, 0]), target: "clear_bhb_loop")
    let jit = Site(
      entryPoint: .bpf, kind: .jit, image: "vmlinux", address: Address(0xffff_ffff_8110_2030),
      symbol: "do_jit+0x430", section: ".text", feature: nil, original: nil, replacement: nil,
      target: "clear_bhb_loop")
    return inVmlinux + [inKVM, jit]
  }()

  static let shortPaths: [JudgedPath] = {
    let silentGuest = everywhere(.sequence, .short, .long, .inadequate)
    var hardware = everywhere(.hardware, .none, .long, .adequate)
    hardware[.bpf] = EntryPointOutcome(
      mechanism: .ibhf, sequence: SelectedSequence.none, required: .long, verdict: .adequate)
    var vmexitOnly = everywhere(.off, .none, .optedOut, .adequate)
    vmexitOnly[.vmexit] = EntryPointOutcome(
      mechanism: .sequence, sequence: .short, required: .shortOrLong, verdict: .adequate)
    let onlyVmexit = (name: "vmexit", text: "spectre_bhi=vmexit")
    return [
      path(
        "haswell", "bare-metal", verdict: .adequate, sysfs: loop,
        everywhere(.sequence, .short, .shortOrLong, .adequate)),
      path(
        "ice-lake-sp", "bare-metal", verdict: .adequate, sysfs: loop,
        everywhere(.sequence, .short, .shortOrLong, .adequate)),
      path(
        "sapphire-rapids", "bare-metal", verdict: .adequate, sysfs: mitigated + "BHI_DIS_S",
        hardware),
      path(
        "haswell", "bare-metal", line: onlyVmexit, verdict: .adequate,
        sysfs: mitigated + "Vulnerable, KVM: SW loop", vmexitOnly),
      path("haswell", "kvm", verdict: .inadequate, sysfs: loop, silentGuest),
      path("ice-lake-sp", "kvm", verdict: .inadequate, sysfs: loop, silentGuest),
      path("sapphire-rapids", "kvm", verdict: .inadequate, sysfs: loop, silentGuest),
      path(
        "haswell", "kvm", .shortAdequate, verdict: .adequate, sysfs: loop,
        everywhere(.sequence, .short, .shortOrLong, .adequate)),
      path(
        "zen4", "kvm", verdict: .adequate, sysfs: "Mitigation: Retpolines; BHI: Not affected",
        everywhere(.none, .none, .nothing, .adequate, at: [.syscall64, .bpf])),
      path(
        "sapphire-rapids", "xen-pv", verdict: .undetermined, sysfs: nil,
        undetermined: "xen_start_kernel is not run", [:]),
    ]
  }()

  static let shortFindings: [Finding] = [
    Finding(
      id: RuleID("BHB002"), severity: .error,
      message: "The image has no long sequence: its only one runs 5x5.",
      locations: [
        Location(
          image: "vmlinux", address: Address(0xffff_ffff_8200_1c80), symbol: "clear_bhb_loop")
      ],
      advice: "Build a kernel whose clear_bhb_loop runs at least 12x7."),
    Finding(
      id: RuleID("BHB020"), severity: .error,
      message:
        "A guest whose hypervisor says nothing gets the short sequence, which does not clear the "
        + "history of Alder Lake, Sapphire Rapids and newer cores.",
      paths: shortPaths.filter { $0.verdict == .inadequate }.map(\.path.id)
        + ["haswell/hyper-v/silent/default", "haswell/vmware/silent/default"],
      advice: "Select the long sequence unless the hypervisor says that the short one suffices.",
      followsFrom: [RuleID("BHB002")]),
    Finding(
      id: RuleID("BHB090"), severity: .warning, message: "One path could not be determined.",
      paths: ["sapphire-rapids/xen-pv/silent/default"], advice: "Boot it under Xen."),
    Finding(
      id: RuleID("BHB050"), severity: .note,
      message: "Nothing is wrong here.",
      locations: sites.suffix(2).map {
        Location(image: $0.image, address: $0.address, symbol: $0.symbol)
      }, advice: "None."),
  ]
}
