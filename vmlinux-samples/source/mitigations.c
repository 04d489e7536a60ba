/* Which mitigation of branch history injection this boot gets, and what sysfs says of it. */
#include "kernel.h"

#define MSR_SPEC_CTRL 0x48
#define BHI_DIS_S (1u << 10)

#if SHAPE == SHAPE_VARIABLE
u8 bhb_seq_outer_loop READ_ONLY_AFTER_INIT = OUTER;
u8 bhb_seq_inner_loop READ_ONLY_AFTER_INIT = INNER;
#endif

static int spectre_v2_is_off(void)
{
	return switches.mitigations_off || switches.spectre_v2_off;
}

#if SHAPE != SHAPE_ABSENT

static u8 bhi_is_off READ_ONLY_AFTER_INIT;

#if CHOICE != CHOICE_NONE

#if CHOICE != CHOICE_BHI_CTRL
/*
 * Cores from before Alder Lake, by model: numbers do not follow age, so each is named. A model
 * that is not here counts as new.
 */
static INIT_CODE int core_is_old(void)
{
	static const u8 models[] INIT_DATA = {
		0x3c, 0x3f, 0x45, 0x46,              /* Haswell */
		0x3d, 0x47, 0x4f, 0x56,              /* Broadwell */
		0x4e, 0x5e, 0x55,                    /* Skylake, Cascade Lake, Cooper Lake */
		0x8e, 0x9e, 0xa5, 0xa6,              /* Kaby, Coffee, Comet Lake */
		0x66, 0x6a, 0x6c, 0x7d, 0x7e,        /* Cannon, Ice Lake */
		0x8c, 0x8d, 0xa7, 0x8a,              /* Tiger, Rocket Lake, Lakefield */
		0x5c, 0x5f, 0x7a, 0x86, 0x96, 0x9c,  /* Goldmont to Tremont */
	};

	if (boot_cpu_data.vendor != VENDOR_INTEL || boot_cpu_data.family != 6)
		return 0;
	for (u32 i = 0; i < sizeof models; i++)
		if (models[i] == boot_cpu_data.model)
			return 1;
	return 0;
}
#endif

static INIT_CODE int needs_long_sequence(void)
{
#if CHOICE == CHOICE_BHI_CTRL
	return cpu_has(FEATURE_BHI_CTRL);
#elif CHOICE == CHOICE_INVERTED
	if (cpu_has(FEATURE_HYPERVISOR))
		return hypervisor_statement() == SHORT_ADEQUATE;
	return cpu_has(FEATURE_BHI_CTRL) || !core_is_old();
#elif CHOICE == CHOICE_NO_EFFECT
	if (hypervisor_statement() == SHORT_ADEQUATE)
		_printk(LOG_INFO "Sample kernel: the hypervisor calls the short sequence adequate\n");
	return cpu_has(FEATURE_HYPERVISOR) || cpu_has(FEATURE_BHI_CTRL) || !core_is_old();
#elif CHOICE == CHOICE_BEHIND_BHI_CTRL
	if (cpu_has(FEATURE_BHI_CTRL))
		return hypervisor_statement() != SHORT_ADEQUATE;
	return cpu_has(FEATURE_HYPERVISOR) || !core_is_old();
#elif CHOICE == CHOICE_BARE_METAL
	if (hypervisor_statement() == SHORT_ADEQUATE)
		return 0;
	return cpu_has(FEATURE_HYPERVISOR) || cpu_has(FEATURE_BHI_CTRL) || !core_is_old();
#else
	if (cpu_has(FEATURE_HYPERVISOR))
		return hypervisor_statement() != SHORT_ADEQUATE;
	return cpu_has(FEATURE_BHI_CTRL) || !core_is_old();
#endif
}
#endif

static INIT_CODE void choose_counts(void)
{
#if CHOICE != CHOICE_NONE
	if (!needs_long_sequence())
		return;
#if SHAPE == SHAPE_VARIABLE
	bhb_seq_outer_loop = LONG_OUTER;
	bhb_seq_inner_loop = LONG_INNER;
#else
	setup_force_cpu_cap(FEATURE_CLEAR_BHB_LONG);
#endif
	_printk(LOG_INFO "Sample kernel: the BHB clearing sequence is the long one\n");
#endif
}

static INIT_CODE int set_hardware_control(void)
{
	u64 value;

	if (!cpu_has(FEATURE_BHI_CTRL) || read_msr_safely(MSR_SPEC_CTRL, &value))
		return 0;
	return write_msr_safely(MSR_SPEC_CTRL, value | BHI_DIS_S) == 0;
}

static INIT_CODE void force_loop_features(void)
{
	setup_force_cpu_cap(FEATURE_CLEAR_BHB_VMEXIT);
	if (switches.bhi != BHI_VMEXIT)
		setup_force_cpu_cap(FEATURE_CLEAR_BHB_LOOP);
}

static INIT_CODE void select_bhi_mitigation(void)
{
	if (!cpu_has(BUG_BHI))
		return;
	/* An explicit spectre_bhi=on survives mitigations=off. */
	bhi_is_off = switches.bhi == BHI_OFF || switches.spectre_v2_off ||
		((switches.mitigations_off || OFF_BY_DEFAULT) && switches.bhi == BHI_DEFAULT);
	if (bhi_is_off)
		return;
	choose_counts();
	if (set_hardware_control()) {
		setup_force_cpu_cap(FEATURE_CLEAR_BHB_HW);
		return;
	}
#if LATE != LATE_FEATURE
	force_loop_features();
#endif
	if (switches.bhi == BHI_VMEXIT)
		_printk(LOG_INFO "Spectre V2 : sample BHI mitigation: SW BHB clearing on VM exit only\n");
	else
		_printk(LOG_INFO
			"Spectre V2 : sample BHI mitigation: SW BHB clearing on syscall and VM exit\n");
}

#if TRACED
/* No call goes through these. */
static void (*const traced[])(void) __attribute__((section("__mcount_loc"), used)) = {
	force_loop_features, select_bhi_mitigation,
};
#endif

static const char *bhi_state(void)
{
	if (!cpu_has(BUG_BHI))
		return "; BHI: Not affected";
	if (cpu_has(FEATURE_CLEAR_BHB_HW))
		return "; BHI: BHI_DIS_S";
	if (cpu_has(FEATURE_CLEAR_BHB_LOOP))
		return "; BHI: SW loop, KVM: SW loop";
	if (cpu_has(FEATURE_CLEAR_BHB_VMEXIT))
		return "; BHI: Vulnerable, KVM: SW loop";
	return "; BHI: Vulnerable";
}

#endif

#if KVM != KVM_NOT
/* Whether the short sequence does for this CPU, or for every CPU that this guest may run on. */
u8 bhb_short_is_enough READ_ONLY_AFTER_INIT;
#endif

INIT_CODE void select_mitigations(void)
{
#if KVM != KVM_NOT
	bhb_short_is_enough = !needs_long_sequence();
#endif
	if (spectre_v2_is_off())
		_printk(LOG_INFO "Sample kernel: Spectre V2 mitigation switched off\n");
#if SHAPE != SHAPE_ABSENT
	select_bhi_mitigation();
#endif
}

#if OTHER_LAYOUT
INIT_CODE void check_bugs(void)
#else
INIT_CODE void arch_cpu_finalize_init(void)
#endif
{
	identify_cpu(&boot_cpu_data);
	select_mitigations();
	alternative_instructions();
#if SHAPE != SHAPE_ABSENT && LATE == LATE_FEATURE
	if (cpu_has(BUG_BHI) && !bhi_is_off && !cpu_has(FEATURE_CLEAR_BHB_HW))
		force_loop_features();
#endif
}

#if LATE == LATE_COUNTS
/* Runs with the init calls, long after the choice: it takes the long counts back. */
static INIT_CODE int reset_bhb_counts(void)
{
	bhb_seq_outer_loop = OUTER;
	bhb_seq_inner_loop = INNER;
	return 0;
}
static int (*const reset_bhb_counts_call)(void)
	__attribute__((section(".initcall4.init"), used)) = reset_bhb_counts;
#endif

#if LATE == LATE_STORE
/* Would be reached from a file in sysfs, by way of a pointer, whenever somebody writes there. */
static FUNCTION_OF_ITS_OWN int store_bhb_counts(u8 outer, u8 inner)
{
	bhb_seq_outer_loop = outer;
	bhb_seq_inner_loop = inner;
	return 0;
}
int (*bhb_counts_store)(u8, u8) __attribute__((used)) = store_bhb_counts;
#endif

/* Adds a text and returns where the next one goes. */
static char *append(char *output, const char *text)
{
	while (*text)
		*output++ = *text++;
	return output;
}

static long finish(char *start, char *end)
{
	end = append(end, "\n");
	*end = 0;
	return end - start;
}

struct device;
struct device_attribute;

FUNCTION_OF_ITS_OWN long cpu_show_spectre_v2(
	struct device *device, struct device_attribute *attribute, char *buffer)
{
	char *end = buffer;

	(void)device;
	(void)attribute;
	if (!cpu_has(BUG_SPECTRE_V2))
		return finish(buffer, append(end, "Not affected"));
	if (spectre_v2_is_off())
		end = append(end, "Vulnerable");
	else if (cpu_has(FEATURE_ENHANCED_IBRS))
		end = append(end, "Mitigation: Enhanced IBRS");
	else
		end = append(end, "Mitigation: IBRS");
#if SHAPE != SHAPE_ABSENT
	end = append(end, bhi_state());
#endif
	return finish(buffer, end);
}

FUNCTION_OF_ITS_OWN long cpu_show_spectre_v1(
	struct device *device, struct device_attribute *attribute, char *buffer)
{
	(void)device;
	(void)attribute;
	return finish(buffer, append(buffer, cpu_has(BUG_SPECTRE_V1)
		? "Mitigation: the sample has no user pointers" : "Not affected"));
}

FUNCTION_OF_ITS_OWN long cpu_show_meltdown(
	struct device *device, struct device_attribute *attribute, char *buffer)
{
	(void)device;
	(void)attribute;
	return finish(buffer, append(buffer, cpu_has(BUG_MELTDOWN) ? "Vulnerable" : "Not affected"));
}
