#pragma once
#include <lzo/lzo1x.h>

// lzo_init() is a macro over sizeof() of the library's types; Swift does not import such macros.
static inline int bhb_lzo_init(void) { return lzo_init(); }
