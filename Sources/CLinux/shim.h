#pragma once
#include <linux/memfd.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

// glibc declares memfd_create() only under _GNU_SOURCE, which Swift's importer does not set;
// syscall() is variadic.
static inline int bhb_memfd_create(const char *name, unsigned int flags) {
  return (int)syscall(SYS_memfd_create, name, flags);
}

// memmem() too is declared only under _GNU_SOURCE (glibc's own prototype, string.h).
void *memmem(const void *haystack, size_t haystack_length, const void *needle,
             size_t needle_length);
