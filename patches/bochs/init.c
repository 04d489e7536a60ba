// SPDX-License-Identifier: GPL-2.0
/*
 * The first process of a boot under Bochs: runs the KVM selftest, which prints
 * to the serial port, and switches the machine off.
 */
#include <stdio.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	int status = -1;
	pid_t test;

	mount("none", "/proc", "proc", 0, NULL);
	mount("none", "/sys", "sysfs", 0, NULL);
	mount("none", "/dev", "devtmpfs", 0, NULL);
	printf("@@ begin\n");
	fflush(stdout);
	test = fork();
	if (test == 0) {
		execl("/bhi_dis_s_test", "bhi_dis_s_test", NULL);
		_exit(127);
	}
	if (test > 0)
		waitpid(test, &status, 0);
	printf("@@ end %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
	return 0;
}
