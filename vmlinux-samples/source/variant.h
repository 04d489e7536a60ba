/* What a variant can choose with -D; also included by assembly. */
#ifndef VARIANT_H
#define VARIANT_H

/* SHAPE: where the clearing sequence takes its loop counts from. */
#define SHAPE_ABSENT 0
#define SHAPE_IMMEDIATE 1
#define SHAPE_VARIABLE 2
#define SHAPE_ALTERNATIVE 3
#define SHAPE_CALLER 4

#ifndef SHAPE
#define SHAPE SHAPE_IMMEDIATE
#endif

/* TWO_ALTERNATIVES: SHAPE_ALTERNATIVE has an entry for each count, both of one feature. */
#ifndef TWO_ALTERNATIVES
#define TWO_ALTERNATIVES 0
#endif

/* The counts in the code, or before anything chose other ones. */
#ifndef OUTER
#define OUTER 5
#endif
#ifndef INNER
#define INNER 5
#endif
#define LONG_OUTER 12
#define LONG_INNER 7

/* CHOICE: who gets the long counts, where the shape leaves a choice. */
#define CHOICE_NONE 0             /* nobody: the counts in the code stay */
#define CHOICE_RIGHT 1            /* everybody for whom the short ones are not known to do */
#define CHOICE_BHI_CTRL 2         /* only who sees BHI_CTRL */
#define CHOICE_INVERTED 3         /* the bit taken for its opposite */
#define CHOICE_NO_EFFECT 4        /* the bit is read and logged, and then forgotten */
#define CHOICE_BEHIND_BHI_CTRL 5  /* the bit is asked for only where BHI_CTRL is seen */
#define CHOICE_ANY_HYPERVISOR 6   /* the bit is read without a look at the signature */
#define CHOICE_BARE_METAL 7       /* the bit is read without a look whether this is a guest */
#define CHOICE_CONFIDENTIAL 8     /* a confidential guest believes the bit as well */
#define CHOICE_OTHER_BIT 9        /* right, but listens to bit 28 */
#define CHOICE_MSR 10             /* right; the statement comes through an MSR */
#define CHOICE_TWO_BITS 11        /* right; bit 29 says that the long counts are required */
#define CHOICE_SHORT_WINS 12      /* as TWO_BITS, but short-adequate wins */

#ifndef CHOICE
#define CHOICE CHOICE_NONE
#endif

/* The sequence ends in an LFENCE of its own; if not, the sites' replacements hold it. */
#ifndef FENCE_INSIDE
#define FENCE_INSIDE 1
#endif
#ifndef FENCE_AT_SITE
#define FENCE_AT_SITE (!FENCE_INSIDE)
#endif

#if FENCE_INSIDE
#define SEQUENCE clear_bhb_loop
#else
#define SEQUENCE clear_bhb_loop_nofence
#endif

/*
 * OTHER_LAYOUT: 12-byte alt_instr, x86_capability elsewhere, names of older kernels, and a
 * tdx_early_init() ahead of the other boot code.
 */
#ifndef OTHER_LAYOUT
#define OTHER_LAYOUT 0
#endif

/* Where the second half of a cache line begins, or a spot in the first half. */
#ifndef RETURN_IN_LINE
#define RETURN_IN_LINE 32
#endif

/* MALFORMED: what is wrong in the table of alternatives. */
#define MALFORMED_NOT 0
#define MALFORMED_LENGTH 1   /* a replacement longer than its site */
#define MALFORMED_RANGE 2    /* a site and a replacement outside the image */
#define MALFORMED_OVERLAP 3  /* a site that begins inside another one */
#define MALFORMED_SIZE 4     /* the table ends in the middle of an entry */
#ifndef MALFORMED
#define MALFORMED MALFORMED_NOT
#endif

/* LATE: what happens after the alternatives were patched. */
#define LATE_NOTHING 0
#define LATE_FEATURE 1  /* the features are forced only then */
#define LATE_COUNTS 2   /* an init call writes the count variables */
#define LATE_STORE 3    /* a function that nobody is seen to call writes them */
#ifndef LATE
#define LATE LATE_NOTHING
#endif

/* Lists where a tracer could hook in, as kernels with ftrace do. */
#ifndef TRACED
#define TRACED 0
#endif

/* KVM: what a pretended KVM says of its hosts; other kernels have none. */
#define KVM_NOT 0
#define KVM_RIGHT 1
#define KVM_MISSING_CONTROL 2   /* promises where BHI_CTRL is merely missing */
#define KVM_LISTED 3            /* lists the statement's bit as supported CPUID */
#define KVM_WITHOUT_CONTROL 4   /* says that it can force wherever there is BHI_CTRL */
#define KVM_NOT_OFFERED 5       /* has the control in use and does not say so */
#define KVM_STOP_IGNORED 6      /* what a VM asked for once cannot be stopped */
#define KVM_SILENT 7            /* knows no such capability */
#define KVM_WARNS 8             /* warns while it starts */
#define KVM_FOR_ALL 9           /* promises every VM what a forced one could be promised */
#ifndef KVM
#define KVM KVM_NOT
#endif

#ifndef MISSING_INT80
#define MISSING_INT80 0
#endif
#ifndef WRONG_FEATURE
#define WRONG_FEATURE 0
#endif
/* Takes Ice Lake for not affected. */
#ifndef EXEMPT_ICE_LAKE
#define EXEMPT_ICE_LAKE 0
#endif
/* As CONFIG_MITIGATION_SPECTRE_BHI=n: off unless the user switches it on. */
#ifndef OFF_BY_DEFAULT
#define OFF_BY_DEFAULT 0
#endif

#endif
