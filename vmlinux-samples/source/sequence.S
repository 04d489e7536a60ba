/*
 * The clearing sequence: OUTER rounds of a call, INNER steps of a jump in each. The calls nest,
 * so that all returns run at the end.
 */
#include "features.h"
#include "tables.h"

	.section .entry.text, "ax"

#if SHAPE != SHAPE_ABSENT

	.balign 64, 0xcc
FUNCTION SEQUENCE
	push %rbp
	mov %rsp, %rbp
#if SHAPE == SHAPE_IMMEDIATE
	mov $OUTER, %ecx
#elif SHAPE == SHAPE_VARIABLE
	movzbl bhb_seq_outer_loop(%rip), %ecx
#elif SHAPE == SHAPE_ALTERNATIVE
.Lcounts:
	mov $OUTER, %ecx
.Linner_count:
	mov $INNER, %edx
.Lcounts_end:
	.pushsection .altinstr_replacement, "ax"
.Llong_counts:
	mov $LONG_OUTER, %ecx
.Llong_inner_count:
	mov $LONG_INNER, %edx
.Llong_counts_end:
	.popsection
#if TWO_ALTERNATIVES
	ALTERNATIVE_ENTRY .Lcounts, .Llong_counts, FEATURE_CLEAR_BHB_LONG, \
		(.Linner_count-.Lcounts), (.Llong_inner_count-.Llong_counts)
	ALTERNATIVE_ENTRY .Linner_count, .Llong_inner_count, FEATURE_CLEAR_BHB_LONG, \
		(.Lcounts_end-.Linner_count), (.Llong_counts_end-.Llong_inner_count)
#else
	ALTERNATIVE_ENTRY .Lcounts, .Llong_counts, FEATURE_CLEAR_BHB_LONG, \
		(.Lcounts_end-.Lcounts), (.Llong_counts_end-.Llong_counts)
#endif
#endif
	call .Lround
	jmp .Ldone

	/* Each return starts at RETURN_IN_LINE of its line: ITS asks for the second half. */
	.balign 64, 0xcc
	.skip RETURN_IN_LINE - 5, 0xcc
.Lround:
	call .Lsteps
	RETURN

	.balign 64, 0xcc
	.skip (64 + RETURN_IN_LINE - (.Lsteps_end - .Lsteps)) % 64, 0xcc
.Lsteps:
#if SHAPE == SHAPE_IMMEDIATE
	mov $INNER, %eax
#elif SHAPE == SHAPE_VARIABLE
	movzbl bhb_seq_inner_loop(%rip), %eax
#else
	mov %edx, %eax
#endif
.Lstep:
	jmp .Lnext
	int3
.Lnext:
	sub $1, %eax
	jnz .Lstep
	sub $1, %ecx
	jnz .Lround
.Lsteps_end:
	RETURN
.Ldone:
#if FENCE_INSIDE && !defined(NO_FENCE)
	lfence
#endif
	pop %rbp
	RETURN
END_FUNCTION SEQUENCE

#endif

/* Where returns go until they are exchanged. */
	.section .text.return_thunk, "ax"
	.balign 64, 0xcc
	.skip 32, 0xcc
	.globl __x86_return_thunk
	.type __x86_return_thunk, @function
__x86_return_thunk:
	ret
	int3
END_FUNCTION __x86_return_thunk
