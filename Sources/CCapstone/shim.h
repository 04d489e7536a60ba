#pragma once
#include <capstone.h>
#include <stdbool.h>

// UD1 (0F B9), which capstone 4 calls by an older name of it.
#if CS_API_MAJOR >= 5
static const x86_insn bhb_x86_ins_ud1 = X86_INS_UD1;
#else
static const x86_insn bhb_x86_ins_ud1 = X86_INS_UD2B;
#endif

// A move under a condition, of general registers. Their numbers differ between versions.
static inline bool bhb_x86_is_cmov(x86_insn id) {
  switch (id) {
    case X86_INS_CMOVA: case X86_INS_CMOVAE: case X86_INS_CMOVB: case X86_INS_CMOVBE:
    case X86_INS_CMOVE: case X86_INS_CMOVG: case X86_INS_CMOVGE: case X86_INS_CMOVL:
    case X86_INS_CMOVLE: case X86_INS_CMOVNE: case X86_INS_CMOVNO: case X86_INS_CMOVNP:
    case X86_INS_CMOVNS: case X86_INS_CMOVO: case X86_INS_CMOVP: case X86_INS_CMOVS:
      return true;
    default:
      return false;
  }
}
