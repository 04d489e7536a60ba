/* Faults that have a way out, the log, and data that nothing else owns. */
#include "kernel.h"

struct pt_regs {
	u64 r15, r14, r13, r12, bp, bx;
	u64 r11, r10, r9, r8, ax, cx, dx, si, di;
	u64 orig_ax, ip, cs, flags, sp, ss;
};

struct exception_table_entry {
	s32 insn;
	s32 fixup;
	s32 data;
};

extern struct exception_table_entry __start___ex_table[], __stop___ex_table[];

/* Sends a fault of a listed instruction to its fixup code; 0 if it is not listed. */
FUNCTION_OF_ITS_OWN int fixup_exception(
	struct pt_regs *regs, int trap, u64 error_code, u64 fault_address)
{
	(void)trap;
	(void)error_code;
	(void)fault_address;
	for (struct exception_table_entry *entry = __start___ex_table; entry < __stop___ex_table;
	     entry++) {
		if ((u64)&entry->insn + entry->insn != regs->ip)
			continue;
		regs->ip = (u64)&entry->fixup + entry->fixup;
		return 1;
	}
	return 0;
}

/* There is no console: who runs this code listens here. */
FUNCTION_OF_ITS_OWN int _printk(const char *format, ...)
{
	asm volatile("" : : "r"(format));
	return 0;
}

FUNCTION_OF_ITS_OWN long system_call(void *registers, u32 number)
{
	(void)registers;
	(void)number;
	return -38;
}

u8 static_key_initialized READ_ONLY_AFTER_INIT;
u64 entry_stack;
u64 saved_user_stack;

const char linux_banner[] =
	"Linux version 6.99.0-bhbcheck-sample (bhbcheck@sample) (" VARIANT ") #1 SMP\n";
