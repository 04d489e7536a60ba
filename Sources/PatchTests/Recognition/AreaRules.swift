/// What marks a hunk as one of this area, and what it is about: data, to be extended.
enum AreaRules {
  /// Words that belong to this area, in lower case.
  static let words = [
    "bhb", "bhi", "branch history", "branch_history", "rrsba", "spectre_v2", "spectre-v2",
  ]

  /// What hunks of a file are about where nothing else tells.
  struct FileRule {
    /// A path, or the beginning of one that ends in `/`.
    var path: String
    var subject: PatchSubject
  }

  static let files: [FileRule] = [
    FileRule(path: "Documentation/", subject: .documentation),
    FileRule(path: "arch/x86/entry/", subject: .site),
    FileRule(path: "arch/x86/lib/", subject: .sequence),
    FileRule(path: "arch/x86/include/asm/nospec-branch.h", subject: .site),
    FileRule(path: "arch/x86/include/asm/entry-common.h", subject: .site),
    FileRule(path: "arch/x86/net/bpf_jit_comp.c", subject: .site),
    FileRule(path: "arch/x86/kvm/vmx/vmenter.S", subject: .site),
    FileRule(path: "arch/x86/include/asm/cpufeatures.h", subject: .feature),
    FileRule(path: "tools/arch/x86/include/asm/cpufeatures.h", subject: .feature),
    FileRule(path: "arch/x86/kernel/cpu/scattered.c", subject: .feature),
    FileRule(path: "arch/x86/kernel/cpu/cpuid-deps.c", subject: .feature),
    FileRule(path: "arch/x86/include/asm/msr-index.h", subject: .msr),
    FileRule(path: "tools/arch/x86/include/asm/msr-index.h", subject: .msr),
    FileRule(path: "arch/x86/include/uapi/asm/kvm_para.h", subject: .cpuid),
    FileRule(path: "arch/x86/include/asm/kvm_para.h", subject: .cpuid),
    FileRule(path: "arch/x86/include/asm/spec-ctrl.h", subject: .selection),
    FileRule(path: "arch/x86/kernel/kvm.c", subject: .selection),
    FileRule(path: "arch/x86/kernel/cpu/", subject: .selection),
    FileRule(path: "arch/x86/Kconfig", subject: .selection),
    FileRule(path: "arch/x86/kvm/", subject: .kvm),
    FileRule(path: "include/uapi/linux/kvm.h", subject: .kvm),
    FileRule(path: "drivers/base/cpu.c", subject: .sysfs),
  ]

  /// Words of code that tell what it is about, whatever the file.
  struct WordRule {
    var word: String
    var subject: PatchSubject
    /// The files it counts in; empty: all.
    var paths: [String] = []
  }

  static let code: [WordRule] = [
    WordRule(word: "CLEAR_BRANCH_HISTORY", subject: .site),
    WordRule(word: "call clear_bhb", subject: .site),
    WordRule(word: "emit_spectre_bhb_barrier", subject: .site),
    WordRule(word: "static_call_update(vmscape", subject: .site),
    WordRule(word: "X86_FEATURE_CLEAR_BHB", subject: .sequence, paths: ["arch/x86/entry/"]),
    WordRule(word: "SYM_FUNC_START(clear_bhb", subject: .sequence),
    WordRule(word: "#define X86_FEATURE_", subject: .feature),
    WordRule(word: "#define X86_BUG_", subject: .feature),
    WordRule(word: "#define MSR_", subject: .msr),
    WordRule(word: "rdmsr", subject: .msr),
    WordRule(word: "wrmsr", subject: .msr),
    WordRule(word: "#define KVM_HINTS_", subject: .cpuid),
    WordRule(word: "#define KVM_FEATURE_", subject: .cpuid),
    WordRule(word: "kvm_para_has_", subject: .cpuid),
    WordRule(word: "cpuid_e", subject: .cpuid),
    WordRule(word: "cpuid_count", subject: .cpuid),
    WordRule(word: "setup_force_cpu_cap", subject: .selection),
    WordRule(word: "setup_clear_cpu_cap", subject: .selection),
    WordRule(word: "_select_mitigation", subject: .selection),
    WordRule(word: "sysfs_emit", subject: .sysfs),
    WordRule(word: "_show_state", subject: .sysfs),
    WordRule(word: "bhi_state", subject: .sysfs),
    WordRule(word: "\"; BH", subject: .sysfs),
    WordRule(word: "early_param(", subject: .commandLine),
    WordRule(word: "!strcmp(", subject: .commandLine),
    WordRule(word: "#define KVM_CAP_", subject: .kvm),
  ]

  /// Why hunks about a subject are in scope, for people.
  static func reason(_ subject: PatchSubject) -> String {
    switch subject {
    case .sequence: "it changes the body of the clearing sequence"
    case .site: "it changes a place that runs the sequence"
    case .feature: "it defines or sets a feature that alternatives hang on"
    case .cpuid: "it defines or reads a bit that a hypervisor shows in CPUID"
    case .msr: "it defines, reads or writes a model-specific register"
    case .selection: "it changes what the kernel chooses"
    case .sysfs: "it changes what the kernel says of its choice"
    case .commandLine: "it changes an option of the command line"
    case .kvm: "it changes what KVM tells user space, which no boot of this kernel shows"
    case .documentation: "it changes text alone"
    }
  }
}
