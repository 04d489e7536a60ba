/* What the two halves of the pretended KVM share. */
#ifndef KVM_H
#define KVM_H

#include "kernel.h"

/* The samples' capabilities; contracts.json names them. */
#define CAPABILITY_HINTS 240
#define CAPABILITY_FORCE 241
/* The bit of the samples' contract. */
#define SHORT_ADEQUATE (1u << 30)

/* The numbers of ioctls and the structures that userspace hands over are those of KVM's interface. */
#define CHECK_EXTENSION 0xae03u
#define GET_SUPPORTED_CPUID 0xc008ae05u
#define EINVAL 22
#define ENOMEM 12
#define EOPNOTSUPP 95

struct kvm {
	u8 forces;
};

struct kvm_enable_cap {
	u32 cap;
	u32 flags;
	u64 args[4];
};

struct cpuid_entry {
	u32 function, index, flags, eax, ebx, ecx, edx, padding[3];
};

struct cpuid_list {
	u32 count, padding;
	struct cpuid_entry entries[];
};

/* What VMX offers and KVM uses. */
struct vmcs_config {
	u32 primary;
	u32 secondary;
	u64 tertiary;
};

/* Whether BHI_DIS_S can be kept set behind a guest's back. */
extern u8 kvm_can_force;

/* A parameter: whether it is for VMs that ask for nothing. */
extern u8 kvm_forces_by_default;

#ifdef MODULE
#define STARTS_AS(name) int init_module(void) __attribute__((alias(#name)))
#define MODULE_NAME(text) \
	static const char module_name[] __attribute__((section(".modinfo"), used)) = "name=" text
#else
#define STARTS_AS(name)
#define MODULE_NAME(text)
#endif

#endif
