/* The switches of the command line that concern the mitigation. */
#include "kernel.h"

char boot_command_line[COMMAND_LINE_SIZE] __attribute__((section(".init.bss")));
struct switches switches READ_ONLY_AFTER_INIT;

/* Whether the word at `word` is `expected` and ends there. */
static INIT_CODE int is_word(const char *word, const char *expected)
{
	while (*expected)
		if (*word++ != *expected++)
			return 0;
	return *word == 0 || *word == ' ';
}

INIT_CODE void parse_early_param(void)
{
	const char *word = boot_command_line;
	const char *end = boot_command_line + COMMAND_LINE_SIZE - 1;

	while (word < end && *word) {
		if (is_word(word, "mitigations=off"))
			switches.mitigations_off = 1;
		else if (is_word(word, "nospectre_v2") || is_word(word, "spectre_v2=off"))
			switches.spectre_v2_off = 1;
		else if (is_word(word, "spectre_bhi=on"))
			switches.bhi = BHI_ON;
		else if (is_word(word, "spectre_bhi=off"))
			switches.bhi = BHI_OFF;
		else if (is_word(word, "spectre_bhi=vmexit"))
			switches.bhi = BHI_VMEXIT;
		while (word < end && *word && *word != ' ')
			word++;
		while (word < end && *word == ' ')
			word++;
	}
}
