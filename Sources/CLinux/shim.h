#pragma once
#include <linux/memfd.h>
#include <sys/syscall.h>
#include <unistd.h>

// glibc declares memfd_create() only under _GNU_SOURCE, which Swift's importer does not set;
// syscall() is variadic.
static inline int bhb_memfd_create(const char *name, unsigned int flags) {
  return (int)syscall(SYS_memfd_create, name, flags);
}
