/*
 * Under which hypervisor the kernel runs, and what that says about the sequence.
 *
 * No number is allocated for such a bit. The samples' contract: bit 30 of EAX in KVM's feature
 * leaf (its base + 1) says that the short sequence is adequate for this guest. CHOICE_TWO_BITS
 * adds bit 29, which says that the long one is required; CHOICE_MSR takes the bit from virtual
 * MSRs instead: bit 63 of ARCH_CAPABILITIES says that 0x50000000 exists, bit 0 of that, that
 * 0x50000001 does, and bit 0 of that is the statement.
 */
#include "kernel.h"

struct hypervisor hypervisor READ_ONLY_AFTER_INIT;

#if CHOICE == CHOICE_OTHER_BIT
#define SHORT_ADEQUATE_BIT 28
#else
#define SHORT_ADEQUATE_BIT 30
#endif
#define LONG_REQUIRED_BIT 29

static INIT_CODE void detect_kvm(void)
{
	u32 output[4];

	/* With Hyper-V's leaves in front, KVM's begin at 0x40000100. */
	for (u32 base = 0x40000000; base < 0x40010000; base += 0x100) {
		read_cpuid(base, 0, output);
		/* "KVMKVMKVM" and three zeros */
		if (output[1] == 0x4b4d564b && output[2] == 0x564b4d56 && output[3] == 0x4d) {
			hypervisor.is_kvm = 1;
			hypervisor.base = base;
			return;
		}
	}
}

#if OTHER_LAYOUT
/*
 * As the kernel does it: ahead of all other boot code, and with a call of the TDX module. TDG.VP.INFO
 * returns the attributes in RDX; bit 28 is SEPT_VE_DISABLE, without which the kernel gives up.
 */
INIT_CODE void tdx_early_init(void)
{
	u64 status = 1, width = 0, attributes = 0;
	u32 output[4];

	read_cpuid(0, 0, output);
	if (output[0] < 0x21)
		return;
	read_cpuid(0x21, 0, output);
	if (output[1] != 0x65746e49 || output[3] != 0x5844546c || output[2] != 0x20202020)
		return;
	asm volatile(".byte 0x66, 0x0f, 0x01, 0xcc"
		     : "+a"(status), "+c"(width), "+d"(attributes)
		     :
		     : "r8", "r9", "r10", "r11", "memory");
	if (!status && width == 52 && attributes >> 28 & 1)
		hypervisor.confidential = 1;
}

static INIT_CODE void detect_confidential(void)
{
}
#else
static INIT_CODE void detect_confidential(void)
{
	u32 output[4];

	if (boot_cpu_data.vendor != VENDOR_INTEL || boot_cpu_data.highest_leaf < 0x21)
		return;
	read_cpuid(0x21, 0, output);
	/* "IntelTDX    ", in the order EBX, EDX, ECX */
	if (output[1] == 0x65746e49 && output[3] == 0x5844546c && output[2] == 0x20202020)
		hypervisor.confidential = 1;
}
#endif

INIT_CODE void init_hypervisor_platform(void)
{
	if (!cpu_has(FEATURE_HYPERVISOR))
		return;
	detect_kvm();
	detect_confidential();
	if (hypervisor.is_kvm)
		_printk(LOG_INFO "Hypervisor detected: KVM, leaves from 0x%x\n", hypervisor.base);
	if (hypervisor.confidential)
		_printk(LOG_INFO "Sample kernel: running in a trust domain\n");
}

#if CHOICE != CHOICE_NONE && CHOICE != CHOICE_BHI_CTRL
static INIT_CODE enum statement read_statement(u32 base)
{
#if CHOICE == CHOICE_MSR
	u64 value;

	(void)base;
	if (!(boot_cpu_data.arch_capabilities >> 63))
		return SILENT;
	if (read_msr_safely(0x50000000, &value) || !(value & 1))
		return SILENT;
	if (read_msr_safely(0x50000001, &value))
		return SILENT;
	return value & 1 ? SHORT_ADEQUATE : SILENT;
#else
	u32 output[4];

	read_cpuid(base + 1, 0, output);
#if CHOICE == CHOICE_TWO_BITS
	if (output[0] >> LONG_REQUIRED_BIT & 1)
		return LONG_REQUIRED;
#endif
	if (output[0] >> SHORT_ADEQUATE_BIT & 1)
		return SHORT_ADEQUATE;
#if CHOICE == CHOICE_SHORT_WINS
	if (output[0] >> LONG_REQUIRED_BIT & 1)
		return LONG_REQUIRED;
#endif
	return SILENT;
#endif
}

INIT_CODE enum statement hypervisor_statement(void)
{
	u32 base = hypervisor.base;

#if CHOICE == CHOICE_BARE_METAL
	if (!cpu_has(FEATURE_HYPERVISOR))
		base = 0x40000000;
	else if (!hypervisor.is_kvm)
		return SILENT;
#elif CHOICE == CHOICE_ANY_HYPERVISOR || CHOICE == CHOICE_MSR
	if (!cpu_has(FEATURE_HYPERVISOR))
		return SILENT;
	base = base ? base : 0x40000000;
#else
	if (!hypervisor.is_kvm)
		return SILENT;
#endif
	/* What a host says that is not trusted counts for nothing. */
	if (hypervisor.confidential && CHOICE != CHOICE_CONFIDENTIAL)
		return SILENT;
	return read_statement(base);
}
#endif
