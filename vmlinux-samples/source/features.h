/*
 * Numbers of CPU features and bugs: 32 * word + bit. The words of CPUID output stand where
 * Linux has them, as do the four features of the BHI mitigation; the bugs are numbered our way.
 */
#ifndef FEATURES_H
#define FEATURES_H

#include "variant.h"

#define WORD_1_EDX 0
#define WORD_80000001_EDX 1
#define WORD_1_ECX 4
#define WORD_80000001_ECX 6
#define WORD_OWN 7
#define WORD_7_EBX 9
#define WORD_7_1_EAX 12
#define WORD_80000008_EBX 13
#define WORD_7_ECX 16
#define WORD_7_EDX 18
#define WORD_80000021_EAX 20
#define WORD_OWN_2 21

#define CAPABILITY_WORDS 22
#define BUG_WORDS 2

#define FEATURE_HYPERVISOR (WORD_1_ECX * 32 + 31)
#define FEATURE_SMAP (WORD_7_EBX * 32 + 20)
#define FEATURE_SPEC_CTRL (WORD_7_EDX * 32 + 26)
#define FEATURE_ARCH_CAPABILITIES (WORD_7_EDX * 32 + 29)
#define FEATURE_AUTO_IBRS (WORD_80000021_EAX * 32 + 8)
#define FEATURE_ENHANCED_IBRS (WORD_OWN * 32 + 30)
#define FEATURE_ALWAYS (3 * 32 + 21)

#define FEATURE_CLEAR_BHB_LOOP (WORD_OWN_2 * 32 + 1)
#define FEATURE_BHI_CTRL (WORD_OWN_2 * 32 + 2)
#define FEATURE_CLEAR_BHB_HW (WORD_OWN_2 * 32 + 3)
#define FEATURE_CLEAR_BHB_VMEXIT (WORD_OWN_2 * 32 + 4)
/* Ours alone: exchanges the counts of the ALTERNATIVE shape. */
#define FEATURE_CLEAR_BHB_LONG (WORD_OWN_2 * 32 + 12)

#define BUG(position) (CAPABILITY_WORDS * 32 + (position))
#define BUG_MELTDOWN BUG(0)
#define BUG_SPECTRE_V1 BUG(5)
#define BUG_SPECTRE_V2 BUG(6)
#if OTHER_LAYOUT
#define BUG_BHI BUG(9)
#else
#define BUG_BHI BUG(37)
#endif

#endif
