/*
 * The ways into this kernel, as far as tables and symbols show them. This code is decoded and
 * patched, but never runs: the sample has no user space and no guests.
 */
#include "features.h"
#include "tables.h"

/* A site of the clearing sequence. */
.macro CLEAR_BRANCH_HISTORY feature
#if SHAPE != SHAPE_ABSENT
	.pushsection .altinstr_replacement, "ax"
.Lclear\@:
#if SHAPE == SHAPE_CALLER
	mov $OUTER, %ecx
	mov $INNER, %edx
#endif
	call SEQUENCE
#if FENCE_AT_SITE
	lfence
#endif
.Lclear_end\@:
	.popsection
.Lclear_site\@:
	.fill (.Lclear_end\@-.Lclear\@), 1, 0x90
	ALTERNATIVE_ENTRY .Lclear_site\@, .Lclear\@, \feature, \
		(.Lclear_end\@-.Lclear\@), (.Lclear_end\@-.Lclear\@)
#endif
.endm

/* Real kernels have a second label there, which is then the one nearest to the site. */
.macro AFTER_FRAME name
#if !OTHER_LAYOUT
	.globl \name
\name:
#endif
.endm

.macro SAVE_REGISTERS
	push %rdi
	push %rsi
	push %rdx
	push %rcx
	push %rax
	push %rbx
	push %rbp
	push %r15
.endm

.macro RESTORE_REGISTERS
	pop %r15
	pop %rbp
	pop %rbx
	pop %rax
	pop %rcx
	pop %rdx
	pop %rsi
	pop %rdi
.endm

	.section .entry.text, "ax"

	.balign 16, 0xcc
FUNCTION entry_SYSENTER_compat
	swapgs
	ALTERNATIVE FEATURE_SMAP, 0, clac
	mov entry_stack(%rip), %rsp
AFTER_FRAME entry_SYSENTER_compat_after_hwframe
	SAVE_REGISTERS
	xor %r15d, %r15d
	cld
	CLEAR_BRANCH_HISTORY FEATURE_CLEAR_BHB_LOOP
	mov %rsp, %rdi
	call system_call
	RESTORE_REGISTERS
	swapgs
	sti
	sysexitl
	int3
END_FUNCTION entry_SYSENTER_compat

	.balign 16, 0xcc
FUNCTION entry_SYSCALL_compat
	swapgs
	mov %rsp, saved_user_stack(%rip)
	mov entry_stack(%rip), %rsp
AFTER_FRAME entry_SYSCALL_compat_after_hwframe
	SAVE_REGISTERS
#if WRONG_FEATURE
	CLEAR_BRANCH_HISTORY FEATURE_CLEAR_BHB_VMEXIT
#else
	CLEAR_BRANCH_HISTORY FEATURE_CLEAR_BHB_LOOP
#endif
	mov %rsp, %rdi
	call system_call
	RESTORE_REGISTERS
	mov saved_user_stack(%rip), %rsp
	swapgs
	sysretl
	int3
END_FUNCTION entry_SYSCALL_compat

	.balign 64, 0xcc
FUNCTION entry_SYSCALL_64
	swapgs
	mov %rsp, saved_user_stack(%rip)
	mov entry_stack(%rip), %rsp
AFTER_FRAME entry_SYSCALL_64_after_hwframe
	SAVE_REGISTERS
	CLEAR_BRANCH_HISTORY FEATURE_CLEAR_BHB_LOOP
	mov %rsp, %rdi
	mov %eax, %esi
	call system_call
	RESTORE_REGISTERS
	mov saved_user_stack(%rip), %rsp
	swapgs
	sysretq
	int3
END_FUNCTION entry_SYSCALL_64

	.balign 16, 0xcc
#if OTHER_LAYOUT
#define INT80 entry_INT80_compat
#else
#define INT80 asm_int80_emulation
#endif
FUNCTION INT80
	ALTERNATIVE FEATURE_SMAP, 0, clac
	swapgs
	/* Taken away where the feature is there: every CPU has FEATURE_ALWAYS. */
	ALTERNATIVE FEATURE_ALWAYS, ALTERNATIVE_NOT, lfence
	SAVE_REGISTERS
#if !MISSING_INT80
	CLEAR_BRANCH_HISTORY FEATURE_CLEAR_BHB_LOOP
#endif
	mov %rsp, %rdi
	call system_call
	RESTORE_REGISTERS
	swapgs
	iretq
END_FUNCTION INT80

	.section .noinstr.text, "ax"
	.balign 16, 0xcc
FUNCTION __vmx_vcpu_run
	push %rbp
	push %rbx
	push %rdi
	test $1, %edx
	mov (%rsi), %rax
	jz .Llaunch
	vmresume
	jmp .Lfailed
.Llaunch:
	vmlaunch
.Lfailed:
	mov $1, %eax
	jmp .Lleave
	.globl vmx_vmexit
vmx_vmexit:
	xor %eax, %eax
	CLEAR_BRANCH_HISTORY FEATURE_CLEAR_BHB_VMEXIT
.Lleave:
	pop %rdi
	pop %rbx
	pop %rbp
	RETURN
END_FUNCTION __vmx_vcpu_run

/* Entries that no assembler would write on its own. */
#if MALFORMED != MALFORMED_NOT
	.section .altinstr_replacement, "ax"
.Ldamaged_replacement:
	lfence
	nop
	nop
	.section .noinstr.text, "ax"
	.globl damaged
	.type damaged, @function
damaged:
	nop
	nop
	nop
	nop
	nop
	RETURN
END_FUNCTION damaged
#if MALFORMED == MALFORMED_LENGTH
	ALTERNATIVE_ENTRY damaged, .Ldamaged_replacement, FEATURE_SMAP, 3, 5
#elif MALFORMED == MALFORMED_RANGE
	ALTERNATIVE_ENTRY damaged+0x20000000, .Ldamaged_replacement, FEATURE_SMAP, 5, 5
	ALTERNATIVE_ENTRY damaged, .Ldamaged_replacement+0x20000000, FEATURE_SMAP, 5, 5
#elif MALFORMED == MALFORMED_OVERLAP
	ALTERNATIVE_ENTRY damaged, .Ldamaged_replacement, FEATURE_SMAP, 4, 3
	ALTERNATIVE_ENTRY damaged+2, .Ldamaged_replacement, FEATURE_SMAP, 3, 3
#elif MALFORMED == MALFORMED_SIZE
	.section .altinstructions.cut, "a"
	.byte 1, 2, 3, 4, 5
#endif
#endif

/* Where the boot loader jumps to; the machine never does. */
	.section .head.text, "ax"
	.globl startup_64
	.type startup_64, @function
startup_64:
	cli
.Lhalt:
	hlt
	jmp .Lhalt
END_FUNCTION startup_64
