/* Boot code that patches the kernel's text after the choice was made. */
#include "kernel.h"

struct alt_instr {
	s32 instr_offset;
	s32 repl_offset;
	u16 feature;
#if !OTHER_LAYOUT
	u16 flags;
#endif
	u8 instrlen;
	u8 replacementlen;
} __attribute__((packed));

extern struct alt_instr __alt_instructions[], __alt_instructions_end[];
extern s32 __return_sites[], __return_sites_end[];
extern u8 __x86_return_thunk[];

u8 alternatives_patched READ_ONLY_AFTER_INIT;

/* Of all instructions in replacements, those that are longer than their first byte says. */
static INIT_CODE u32 instruction_length(const u8 *code)
{
	if (code[0] == 0xe8 || code[0] == 0xe9 || (code[0] & 0xf8) == 0xb8)
		return 5;
	/* lfence, clac */
	return code[0] == 0x0f ? 3 : 1;
}

static INIT_CODE int applies(const struct alt_instr *entry)
{
#if OTHER_LAYOUT
	int negated = entry->feature >> 15;
	u32 feature = entry->feature & 0x7fff;
#else
	int negated = entry->flags & 1;
	u32 feature = entry->feature;
#endif

	BUG_ON(feature >= (CAPABILITY_WORDS + BUG_WORDS) * 32);
	return cpu_has(feature) != negated;
}

INIT_CODE void apply_alternatives(struct alt_instr *start, struct alt_instr *end)
{
	for (struct alt_instr *entry = start; entry < end; entry++) {
		u8 *site = (u8 *)&entry->instr_offset + entry->instr_offset;
		const u8 *replacement = (u8 *)&entry->repl_offset + entry->repl_offset;
		u8 code[32];
		u32 length = entry->replacementlen;

		BUG_ON(entry->instrlen > sizeof code || length > entry->instrlen);
		if (!applies(entry))
			continue;
		for (u32 i = 0; i < entry->instrlen; i++)
			code[i] = i < length ? replacement[i] : 0x90;
		/* Relative targets count from where the replacement lay. */
		for (u32 i = 0; i < length; i += instruction_length(&code[i]))
			if (code[i] == 0xe8 || code[i] == 0xe9)
				*(s32 *)&code[i + 1] += (s32)(replacement - site);
		for (u32 i = 0; i < entry->instrlen; i++)
			((volatile u8 *)site)[i] = code[i];
	}
}

INIT_CODE void apply_returns(s32 *start, s32 *end)
{
	for (s32 *offset = start; offset < end; offset++) {
		volatile u8 *site = (u8 *)offset + *offset;

		if (site[0] != 0xe9 || site + 5 + *(volatile s32 *)(site + 1) != __x86_return_thunk)
			continue;
		/* ret, and what stops a processor that looks beyond it */
		site[0] = 0xc3;
		for (u32 i = 1; i < 5; i++)
			site[i] = 0xcc;
	}
}

INIT_CODE void alternative_instructions(void)
{
	apply_returns(__return_sites, __return_sites_end);
	apply_alternatives(__alt_instructions, __alt_instructions_end);
	alternatives_patched = 1;
	_printk(LOG_INFO "Sample kernel: alternatives are patched\n");
}
