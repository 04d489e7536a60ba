/* Memory: there is none. */
#include "kernel.h"

FUNCTION_OF_ITS_OWN void *__kmalloc_noprof(u64 size, u32 flags)
{
	/* As long as a real one, so that what takes its place fits. */
	asm volatile(".fill 32, 1, 0x90" : : "r"(size), "r"(flags));
	return 0;
}
