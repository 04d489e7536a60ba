/* What the C files of the miniature kernel share. */
#ifndef KERNEL_H
#define KERNEL_H

#include "features.h"

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef int s32;

#define INIT_CODE __attribute__((section(".init.text"), noinline, used))
#define INIT_DATA __attribute__((section(".init.data")))
/* Written by boot code, read-only afterwards; as in real kernels it lies in .rodata. */
#define READ_ONLY_AFTER_INIT __attribute__((section(".data..ro_after_init")))
#define FUNCTION_OF_ITS_OWN __attribute__((noinline, used))

#define COMMAND_LINE_SIZE 2048

enum vendor { VENDOR_INTEL, VENDOR_AMD, VENDOR_HYGON, VENDOR_ZHAOXIN, VENDOR_UNKNOWN };

struct cpuinfo_x86 {
	u8 family;
	u8 vendor;
	u8 model;
	u8 stepping;
	u32 highest_leaf;
	u32 highest_extended_leaf;
	char vendor_name[16];
	u64 arch_capabilities;
#if OTHER_LAYOUT
	u64 padding[9];
#endif
	u32 x86_capability[CAPABILITY_WORDS + BUG_WORDS];
	u32 microcode;
};

extern struct cpuinfo_x86 boot_cpu_data;
extern char boot_command_line[COMMAND_LINE_SIZE];
extern u8 static_key_initialized;
extern u8 alternatives_patched;

int _printk(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define LOG_INFO "\0016"
#define LOG_ERROR "\0013"

/* cpu.c */
int cpu_has(u32 feature);
void setup_force_cpu_cap(u32 feature);
void read_cpuid(u32 leaf, u32 subleaf, u32 output[4]);
int read_msr_safely(u32 index, u64 *value);
int write_msr_safely(u32 index, u64 value);
void identify_cpu(struct cpuinfo_x86 *cpu);

/* command_line.c */
enum bhi_switch { BHI_DEFAULT, BHI_ON, BHI_OFF, BHI_VMEXIT };
struct switches {
	enum bhi_switch bhi;
	u8 mitigations_off;
	u8 spectre_v2_off;
};
extern struct switches switches;

/* hypervisor.c */
struct hypervisor {
	u8 is_kvm;
	/* The first leaf of KVM's range. */
	u32 base;
	u8 confidential;
};
extern struct hypervisor hypervisor;
enum statement { SILENT, SHORT_ADEQUATE, LONG_REQUIRED };
enum statement hypervisor_statement(void);

/* mitigations.c */
void select_mitigations(void);

extern u8 bhb_short_is_enough;

/* memory.c; who runs the kernel hands out memory in its place */
void *__kmalloc_noprof(u64 size, u32 flags);

/* alternatives.c */
void alternative_instructions(void);

/* A conditional warning: ud2 with an entry in the bug table. */
#define BUG_FLAG_WARNING 1
#define TRAP(flags_value) \
	asm volatile("1: ud2\n" \
		".pushsection __bug_table, \"aw\"\n" \
		"2: .long 1b - 2b\n" \
		".long %c0 - (2b + 4)\n" \
		".short %c1\n" \
		".short %c2\n" \
		".popsection\n" \
		: : "i"(__FILE_NAME__), "i"(__LINE__), "i"(flags_value))
#define WARN_ON(condition) do { if (condition) TRAP(BUG_FLAG_WARNING); } while (0)
#define BUG_ON(condition) \
	do { if (condition) { TRAP(0); __builtin_unreachable(); } } while (0)

#endif
