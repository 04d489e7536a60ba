// SPDX-License-Identifier: GPL-2.0
/*
 * The first and only process of a boot: prints what the kernel says of itself,
 * and the CPUID leaves as the emulated CPU gives them, and stops.
 */
#include <cpuid.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <unistd.h>

static void print_file(const char *label, const char *path)
{
	char text[4096];
	int file = open(path, O_RDONLY);
	ssize_t length = file < 0 ? -1 : read(file, text, sizeof(text) - 1);

	if (length >= 0) {
		text[length] = 0;
		text[strcspn(text, "\n")] = 0;
		printf("@@ %s %s\n", label, text);
	}
	if (file >= 0)
		close(file);
}

static void print_log(void)
{
	static char log[1 << 18];
	int length = klogctl(3 /* SYSLOG_ACTION_READ_ALL */, log, sizeof(log) - 1);
	char *line, *rest = log;

	if (length < 0)
		return;
	log[length] = 0;
	while ((line = strsep(&rest, "\n")))
		if (strstr(line, "BHI") || strstr(line, "Spectre V2") || strstr(line, "WARNING:"))
			printf("@@ log %s\n", line);
}

/* In the format of `cpuid -r`. */
static void print_cpuid(unsigned int leaf, unsigned int subleaf)
{
	unsigned int a, b, c, d;

	__cpuid_count(leaf, subleaf, a, b, c, d);
	printf("@@ cpuid 0x%08x 0x%02x: eax=0x%08x ebx=0x%08x ecx=0x%08x edx=0x%08x\n",
	       leaf, subleaf, a, b, c, d);
}

static void print_leaves(unsigned int first, unsigned int most)
{
	unsigned int last, b, c, d;

	__cpuid(first, last, b, c, d);
	if (last < first || last > first + most)
		last = first;
	for (unsigned int leaf = first; leaf <= last; leaf++) {
		int several = leaf == 0x4 || leaf == 0x7 || leaf == 0xb || leaf == 0xd || leaf == 0x14;

		for (unsigned int subleaf = 0; subleaf <= (several ? 4u : 0u); subleaf++)
			print_cpuid(leaf, subleaf);
	}
}

int main(void)
{
	mount("none", "/proc", "proc", 0, NULL);
	mount("none", "/sys", "sysfs", 0, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	print_file("sysfs", "/sys/devices/system/cpu/vulnerabilities/spectre_v2");
	print_log();
	print_leaves(0, 0x40);
	print_leaves(0x80000000, 0x40);
	printf("@@ end\n");
	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
	return 0;
}
