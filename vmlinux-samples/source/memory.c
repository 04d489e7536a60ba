/* What only samples with a KVM have: memory, of which there is none, and parameters of modules. */
#include "kernel.h"

struct kernel_param {
	const char *name;
	void *module;
	const void *operations;
	u16 permissions;
	signed char level;
	u8 flags;
	u8 *argument;
};

/* Whether `text` begins with `name` and an equals sign; then what follows that. */
static const char *value_of(const char *text, const char *name)
{
	while (*name && *text == *name)
		text++, name++;
	return !*name && *text == '=' ? text + 1 : 0;
}

/* Words between spaces; a parameter is a byte, 0 or 1. */
FUNCTION_OF_ITS_OWN char *parse_args(const char *doing, char *args,
	const struct kernel_param *parameters, u32 count, short min_level, short max_level,
	void *argument, int (*unknown)(char *, char *, const char *, void *))
{
	(void)doing, (void)argument, (void)unknown;
	while (*args) {
		for (u32 i = 0; i < count; i++) {
			const char *value = value_of(args, parameters[i].name);

			if (value && parameters[i].level >= min_level && parameters[i].level <= max_level)
				*parameters[i].argument = *value == '1';
		}
		while (*args && *args != ' ')
			args++;
		while (*args == ' ')
			args++;
	}
	return 0;
}

FUNCTION_OF_ITS_OWN void *__kmalloc_noprof(u64 size, u32 flags)
{
	/* As long as a real one, so that what takes its place fits. */
	asm volatile(".fill 32, 1, 0x90" : : "r"(size), "r"(flags));
	return 0;
}
