/* Assembly that records an instruction in one of the tables which boot code walks. */
#ifndef TABLES_H
#define TABLES_H

#include "variant.h"

#define ALTERNATIVE_NOT 1

/* One struct alt_instr. The older layout has no flags; bit 15 of the feature negates it. */
.macro ALTERNATIVE_ENTRY site, replacement, feature, site_length, replacement_length, flags=0
	.pushsection .altinstructions, "a"
	.long \site - .
	.long \replacement - .
#if OTHER_LAYOUT
	.short (\feature) | (\flags) << 15
#else
	.short \feature
	.short \flags
#endif
	.byte \site_length
	.byte \replacement_length
	.popsection
.endm

/* NOPs that become one instruction when `feature` is there (or is not, with ALTERNATIVE_NOT). */
.macro ALTERNATIVE feature, flags, instruction:vararg
	.pushsection .altinstr_replacement, "ax"
.Lreplacement\@:
	\instruction
.Lreplacement_end\@:
	.popsection
.Lsite\@:
	.fill (.Lreplacement_end\@-.Lreplacement\@), 1, 0x90
	ALTERNATIVE_ENTRY .Lsite\@, .Lreplacement\@, \feature, \
		(.Lreplacement_end\@-.Lreplacement\@), (.Lreplacement_end\@-.Lreplacement\@), \flags
.endm

/* A return that boot code may exchange. */
.macro RETURN
.Lreturn\@:
	jmp __x86_return_thunk
	.pushsection .return_sites, "a"
	.long .Lreturn\@ - .
	.popsection
.endm

.macro FUNCTION name
	.globl \name
	.type \name, @function
\name:
#ifdef __CET__
	endbr64
#endif
.endm

.macro END_FUNCTION name
	.size \name, . - \name
.endm

#endif
