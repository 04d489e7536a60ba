/* What CPUID and the MSRs say, gathered in boot_cpu_data. */
#include "kernel.h"

struct cpuinfo_x86 boot_cpu_data READ_ONLY_AFTER_INIT;

/* Features that boot code decided on; they outlive a new look at CPUID. */
static u32 forced_features[CAPABILITY_WORDS + BUG_WORDS] READ_ONLY_AFTER_INIT;

const char *const x86_cap_flags[CAPABILITY_WORDS * 32] = {
	[FEATURE_HYPERVISOR] = "hypervisor",
	[FEATURE_SMAP] = "smap",
	[FEATURE_SPEC_CTRL] = "spec_ctrl",
	[FEATURE_ARCH_CAPABILITIES] = "arch_capabilities",
	[FEATURE_AUTO_IBRS] = "autoibrs",
	[FEATURE_ENHANCED_IBRS] = "ibrs_enhanced",
};

const char *const x86_bug_flags[BUG_WORDS * 32] = {
	[BUG_MELTDOWN - BUG(0)] = "cpu_meltdown",
	[BUG_SPECTRE_V1 - BUG(0)] = "spectre_v1",
	[BUG_SPECTRE_V2 - BUG(0)] = "spectre_v2",
#if SHAPE != SHAPE_ABSENT
	[BUG_BHI - BUG(0)] = "bhi",
#endif
};

static void set_bit(u32 *words, u32 number)
{
	words[number / 32] |= 1u << number % 32;
}

int cpu_has(u32 feature)
{
	return boot_cpu_data.x86_capability[feature / 32] >> feature % 32 & 1;
}

FUNCTION_OF_ITS_OWN void setup_force_cpu_cap(u32 feature)
{
	/* Sites are patched once: what comes later does not reach them. */
	WARN_ON(alternatives_patched && !cpu_has(feature));
	set_bit(boot_cpu_data.x86_capability, feature);
	set_bit(forced_features, feature);
}

void read_cpuid(u32 leaf, u32 subleaf, u32 output[4])
{
	asm volatile("cpuid"
		: "=a"(output[0]), "=b"(output[1]), "=c"(output[2]), "=d"(output[3])
		: "a"(leaf), "c"(subleaf));
}

/* Both return 0, or -5 if the CPU raised a fault: then the code at 3 goes on. */
FUNCTION_OF_ITS_OWN int read_msr_safely(u32 index, u64 *value)
{
	u32 low, high;
	int error;

	asm volatile("xor %[error], %[error]\n"
		"1: rdmsr\n"
		"2:\n"
		".pushsection .text.fixup, \"ax\"\n"
		"3: mov $-5, %[error]\n"
		"xor %%eax, %%eax\n"
		"xor %%edx, %%edx\n"
		"jmp 2b\n"
		".popsection\n"
		".pushsection __ex_table, \"a\"\n"
		".long 1b - ., 3b - ., 1\n"
		".popsection\n"
		: "=a"(low), "=d"(high), [error] "=&r"(error) : "c"(index));
	*value = low | (u64)high << 32;
	return error;
}

FUNCTION_OF_ITS_OWN int write_msr_safely(u32 index, u64 value)
{
	int error;

	asm volatile("xor %[error], %[error]\n"
		"1: wrmsr\n"
		"2:\n"
		".pushsection .text.fixup, \"ax\"\n"
		"3: mov $-5, %[error]\n"
		"jmp 2b\n"
		".popsection\n"
		".pushsection __ex_table, \"a\"\n"
		".long 1b - ., 3b - ., 1\n"
		".popsection\n"
		: [error] "=&r"(error)
		: "c"(index), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
	return error;
}

static INIT_CODE void detect_vendor(struct cpuinfo_x86 *cpu)
{
	/* EBX of leaf 0: the first four letters of the name. */
	static const struct { u32 letters; u8 vendor; } known[] INIT_DATA = {
		{ 0x756e6547, VENDOR_INTEL }, { 0x68747541, VENDOR_AMD }, { 0x6f677948, VENDOR_HYGON },
		{ 0x746e6543, VENDOR_ZHAOXIN }, { 0x68532020, VENDOR_ZHAOXIN },
	};
	u32 output[4];

	read_cpuid(0, 0, output);
	cpu->highest_leaf = output[0];
	*(u32 *)&cpu->vendor_name[0] = output[1];
	*(u32 *)&cpu->vendor_name[4] = output[3];
	*(u32 *)&cpu->vendor_name[8] = output[2];
	cpu->vendor = VENDOR_UNKNOWN;
	for (u32 i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i].letters == output[1])
			cpu->vendor = known[i].vendor;
}

static INIT_CODE void detect_model(struct cpuinfo_x86 *cpu)
{
	u32 output[4];

	if (cpu->highest_leaf < 1)
		return;
	read_cpuid(1, 0, output);
	cpu->family = output[0] >> 8 & 15;
	if (cpu->family == 15)
		cpu->family += output[0] >> 20 & 255;
	cpu->model = output[0] >> 4 & 15;
	if (cpu->family >= 6)
		cpu->model |= output[0] >> 12 & 0xf0;
	cpu->stepping = output[0] & 15;
	cpu->x86_capability[WORD_1_EDX] = output[3];
	cpu->x86_capability[WORD_1_ECX] = output[2];
}

static INIT_CODE void detect_features(struct cpuinfo_x86 *cpu)
{
	u32 output[4];

	if (cpu->highest_leaf >= 7) {
		read_cpuid(7, 0, output);
		u32 highest_subleaf = output[0];
		cpu->x86_capability[WORD_7_EBX] = output[1];
		cpu->x86_capability[WORD_7_ECX] = output[2];
		cpu->x86_capability[WORD_7_EDX] = output[3];
		if (highest_subleaf >= 1) {
			read_cpuid(7, 1, output);
			cpu->x86_capability[WORD_7_1_EAX] = output[0];
		}
		if (highest_subleaf >= 2) {
			read_cpuid(7, 2, output);
			if (output[3] & 1u << 4)
				set_bit(cpu->x86_capability, FEATURE_BHI_CTRL);
		}
	}
	read_cpuid(0x80000000, 0, output);
	cpu->highest_extended_leaf = output[0] >> 16 == 0x8000 ? output[0] : 0;
	if (cpu->highest_extended_leaf >= 0x80000001) {
		read_cpuid(0x80000001, 0, output);
		cpu->x86_capability[WORD_80000001_EDX] = output[3];
		cpu->x86_capability[WORD_80000001_ECX] = output[2];
	}
	if (cpu->highest_extended_leaf >= 0x80000008) {
		read_cpuid(0x80000008, 0, output);
		cpu->x86_capability[WORD_80000008_EBX] = output[1];
	}
	if (cpu->highest_extended_leaf >= 0x80000021) {
		read_cpuid(0x80000021, 0, output);
		cpu->x86_capability[WORD_80000021_EAX] = output[0];
	}
}

static INIT_CODE void detect_bugs(struct cpuinfo_x86 *cpu)
{
	u32 *words = cpu->x86_capability;
	int arch_capabilities = words[WORD_7_EDX] >> FEATURE_ARCH_CAPABILITIES % 32 & 1;
	int guest = words[WORD_1_ECX] >> FEATURE_HYPERVISOR % 32 & 1;
	int auto_ibrs = words[WORD_80000021_EAX] >> FEATURE_AUTO_IBRS % 32 & 1;
	int intel_like = cpu->vendor == VENDOR_INTEL || cpu->vendor == VENDOR_UNKNOWN;

	/* IA32_ARCH_CAPABILITIES exists where CPUID says so. */
	if (arch_capabilities && read_msr_safely(0x10a, &cpu->arch_capabilities))
		cpu->arch_capabilities = 0;
	if (cpu->arch_capabilities & 2 || auto_ibrs)
		set_bit(words, FEATURE_ENHANCED_IBRS);

	set_bit(words, FEATURE_ALWAYS);
	set_bit(words, BUG_SPECTRE_V1);
	set_bit(words, BUG_SPECTRE_V2);
	if (intel_like && !(cpu->arch_capabilities & 1))
		set_bit(words, BUG_MELTDOWN);
#if SHAPE != SHAPE_ABSENT
	if (EXEMPT_ICE_LAKE && cpu->vendor == VENDOR_INTEL && cpu->model == 0x6a)
		return;
	/* Branch history matters where indirect branches are predicted across privileges. */
	if (intel_like && (guest || cpu->arch_capabilities & 2))
		set_bit(words, BUG_BHI);
#endif
	(void)guest;
}

INIT_CODE void identify_cpu(struct cpuinfo_x86 *cpu)
{
	for (u32 i = 0; i < CAPABILITY_WORDS + BUG_WORDS; i++)
		cpu->x86_capability[i] = 0;
	detect_vendor(cpu);
	detect_model(cpu);
	detect_features(cpu);
	detect_bugs(cpu);
	for (u32 i = 0; i < CAPABILITY_WORDS + BUG_WORDS; i++)
		cpu->x86_capability[i] |= forced_features[i];
}

INIT_CODE void early_cpu_init(void)
{
	identify_cpu(&boot_cpu_data);
	_printk(LOG_INFO "Sample kernel: CPU %s, family %u, model 0x%x, stepping %u\n",
		boot_cpu_data.vendor_name, boot_cpu_data.family, boot_cpu_data.model,
		boot_cpu_data.stepping);
}
