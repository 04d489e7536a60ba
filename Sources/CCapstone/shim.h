#pragma once
#include <capstone.h>

// UD1 (0F B9), which capstone 4 calls by an older name of it.
#if CS_API_MAJOR >= 5
static const x86_insn bhb_x86_ins_ud1 = X86_INS_UD1;
#else
static const x86_insn bhb_x86_ins_ud1 = X86_INS_UD2B;
#endif
