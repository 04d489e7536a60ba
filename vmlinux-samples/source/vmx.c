/* The half of a pretended KVM that knows VMX. */
#include "kvm.h"

MODULE_NAME("kvm_intel");

#define MSR_VMX_PROCBASED_CTLS 0x482
#define MSR_VMX_PROCBASED_CTLS3 0x492
#define ACTIVATE_TERTIARY (1u << 17)
#define VIRTUALIZE_SPEC_CTRL (1u << 7)
#define FIELD_SPEC_CTRL_MASK 0x204a
#define FIELD_SPEC_CTRL_SHADOW 0x204c

struct vmcs_config vmcs_config;

/* What a kernel's table of parameters holds, and who runs the kernel takes from the command line. */
struct kernel_param {
	const char *name;
	void *module;
	const void *operations;
	u16 permissions;
	signed char level;
	u8 flags;
	void *argument;
};
#ifdef MODULE
#define PARAMETER(text) text
#else
#define PARAMETER(text) "kvm_intel." text
#endif
static const struct kernel_param force_by_default_parameter
	__attribute__((section("__param"), used, aligned(8))) = {
	.name = PARAMETER("force_bhi_dis_s"), .level = -1, .argument = &kvm_forces_by_default,
};
static void *region;

/* With an entry of its own in the exception table, as each file of a kernel has it. */
static u64 read_msr(u32 index)
{
	u32 low, high;

	asm volatile("1: rdmsr\n"
		"2:\n"
		".pushsection __ex_table, \"a\"\n"
		".long 1b - ., 2b - ., 1\n"
		".popsection\n"
		: "=a"(low), "=d"(high) : "c"(index));
	return low | (u64)high << 32;
}

#if KVM != KVM_SILENT
/* What KVM would do on each entry of a guest. */
FUNCTION_OF_ITS_OWN void vmx_hold_spec_ctrl(u64 mask, u64 shadow)
{
	asm volatile("vmwrite %1, %0" : : "r"((u64)FIELD_SPEC_CTRL_MASK), "r"(mask) : "cc");
	asm volatile("vmwrite %1, %0" : : "r"((u64)FIELD_SPEC_CTRL_SHADOW), "r"(shadow) : "cc");
}
#endif

static int has_vmx(void)
{
	u32 output[4];

	read_cpuid(1, 0, output);
	return output[2] >> 5 & 1;
}

FUNCTION_OF_ITS_OWN int vmx_init(void)
{
	if (!has_vmx())
		return -EOPNOTSUPP;
	WARN_ON(KVM == KVM_WARNS);
	region = __kmalloc_noprof(4096, 0);
	if (!region)
		return -ENOMEM;
	vmcs_config.primary = read_msr(MSR_VMX_PROCBASED_CTLS) >> 32;
	if (vmcs_config.primary & ACTIVATE_TERTIARY && KVM != KVM_SILENT)
		vmcs_config.tertiary = read_msr(MSR_VMX_PROCBASED_CTLS3) & VIRTUALIZE_SPEC_CTRL;
	if (KVM == KVM_SILENT)
		kvm_forces_by_default = 0;
	kvm_can_force = cpu_has(FEATURE_BHI_CTRL) &&
		(vmcs_config.tertiary || KVM == KVM_WITHOUT_CONTROL);
	kvm_forces_by_default &= kvm_can_force;
	return 0;
}
STARTS_AS(vmx_init);
