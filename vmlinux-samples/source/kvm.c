/* The half of a pretended KVM that userspace talks to. */
#include "kvm.h"

MODULE_NAME("kvm");

u8 kvm_can_force;
u8 kvm_forces_by_default;
static u8 is_started;

FUNCTION_OF_ITS_OWN int kvm_x86_init(void)
{
	is_started = 1;
	return 0;
}
STARTS_AS(kvm_x86_init);

FUNCTION_OF_ITS_OWN int kvm_arch_init_vm(struct kvm *kvm, u64 type)
{
	if (type)
		return -EINVAL;
	kvm->forces = kvm_forces_by_default;
	return 0;
}

static u32 hints(struct kvm *kvm)
{
#if KVM == KVM_MISSING_CONTROL
	if (!cpu_has(FEATURE_BHI_CTRL))
		return SHORT_ADEQUATE;
#elif KVM == KVM_FOR_ALL
	if (kvm && kvm_can_force)
		return SHORT_ADEQUATE;
#endif
	return bhb_short_is_enough || (kvm && kvm->forces) ? SHORT_ADEQUATE : 0;
}

FUNCTION_OF_ITS_OWN int kvm_vm_ioctl_check_extension(struct kvm *kvm, long extension)
{
	if (!is_started || KVM == KVM_SILENT)
		return 0;
	switch (extension) {
	case CAPABILITY_HINTS:
		return hints(kvm);
	case CAPABILITY_FORCE:
		return KVM != KVM_NOT_OFFERED && kvm_can_force;
	}
	return 0;
}

FUNCTION_OF_ITS_OWN int kvm_vm_ioctl_enable_cap(struct kvm *kvm, struct kvm_enable_cap *wish)
{
	if (wish->cap != CAPABILITY_FORCE || wish->flags || wish->args[0] > 1 || !kvm_can_force ||
	    KVM == KVM_SILENT || KVM == KVM_NOT_OFFERED)
		return -EINVAL;
	kvm->forces = wish->args[0] || (KVM == KVM_STOP_IGNORED && kvm->forces);
	return 0;
}

static long list_cpuid(struct cpuid_list *list)
{
	if (list->count < 2)
		return -EINVAL;
	list->count = 2;
	list->entries[0] = (struct cpuid_entry){ .function = 0x40000000, .eax = 0x40000001,
		.ebx = 0x4b4d564b, .ecx = 0x564b4d56, .edx = 0x4d };
	list->entries[1] = (struct cpuid_entry){ .function = 0x40000001,
		.eax = 0x1007efb | (KVM == KVM_LISTED ? SHORT_ADEQUATE : 0) };
	return 0;
}

FUNCTION_OF_ITS_OWN long kvm_dev_ioctl(void *file, u32 number, u64 argument)
{
	(void)file;
	switch (number) {
	case CHECK_EXTENSION:
		return kvm_vm_ioctl_check_extension(0, argument);
	case GET_SUPPORTED_CPUID:
		return list_cpuid((struct cpuid_list *)argument);
	}
	return -EINVAL;
}
