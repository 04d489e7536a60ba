#pragma once
#include <unicorn/unicorn.h>

// uc_hook_add() is variadic and Swift cannot call variadic C: one typed call for each kind of hook.

// UC_HOOK_CODE on the instructions in [begin, end].
static inline uc_err bhb_hook_code(uc_engine *uc, uc_hook *hook, uc_cb_hookcode_t callback,
                                   void *user, uint64_t begin, uint64_t end) {
  return uc_hook_add(uc, hook, UC_HOOK_CODE, (void *)callback, user, begin, end);
}

// UC_HOOK_BLOCK on every translated block.
static inline uc_err bhb_hook_block(uc_engine *uc, uc_hook *hook, uc_cb_hookcode_t callback,
                                    void *user) {
  return uc_hook_add(uc, hook, UC_HOOK_BLOCK, (void *)callback, user, (uint64_t)1, (uint64_t)0);
}

// UC_HOOK_INSN on CPUID; a callback that returns non-zero has executed the instruction itself.
typedef int (*bhb_cpuid_callback)(uc_engine *uc, void *user);
static inline uc_err bhb_hook_cpuid(uc_engine *uc, uc_hook *hook, bhb_cpuid_callback callback,
                                    void *user) {
  return uc_hook_add(uc, hook, UC_HOOK_INSN, (void *)callback, user, (uint64_t)1, (uint64_t)0,
                     UC_X86_INS_CPUID);
}

// UC_HOOK_INSN on IN and OUT.
static inline uc_err bhb_hook_port_read(uc_engine *uc, uc_hook *hook, uc_cb_insn_in_t callback,
                                        void *user) {
  return uc_hook_add(uc, hook, UC_HOOK_INSN, (void *)callback, user, (uint64_t)1, (uint64_t)0,
                     UC_X86_INS_IN);
}

// UC_HOOK_INSN_INVALID: instructions this CPU model does not know.
static inline uc_err bhb_hook_invalid(uc_engine *uc, uc_hook *hook, uc_cb_hookinsn_invalid_t callback,
                                      void *user) {
  return uc_hook_add(uc, hook, UC_HOOK_INSN_INVALID, (void *)callback, user, (uint64_t)1,
                     (uint64_t)0);
}

// UC_HOOK_INTR: interrupts and exceptions.
static inline uc_err bhb_hook_interrupt(uc_engine *uc, uc_hook *hook, uc_cb_hookintr_t callback,
                                        void *user) {
  return uc_hook_add(uc, hook, UC_HOOK_INTR, (void *)callback, user, (uint64_t)1, (uint64_t)0);
}

// UC_HOOK_MEM_*: `type` is a mask of uc_hook_type, for accesses in [begin, end] (1, 0: all).
static inline uc_err bhb_hook_memory(uc_engine *uc, uc_hook *hook, int type,
                                     uc_cb_hookmem_t callback, void *user, uint64_t begin,
                                     uint64_t end) {
  return uc_hook_add(uc, hook, type, (void *)callback, user, begin, end);
}

// UC_HOOK_MEM_*_UNMAPPED and *_PROT: a callback that returns true has mended the access.
static inline uc_err bhb_hook_memory_event(uc_engine *uc, uc_hook *hook, int type,
                                           uc_cb_eventmem_t callback, void *user) {
  return uc_hook_add(uc, hook, type, (void *)callback, user, (uint64_t)1, (uint64_t)0);
}

// uc_ctl() is variadic too.

// Unicorn 2.0 takes an address for what it is while paging is off. Since 2.1 it cuts it to the 52 bits
// of a physical address, except in a mode in which a hook says what lies behind a page. 2.0's header
// has no names for that, and its library is the same file for the dynamic linker.
typedef struct {
  uint64_t physical;
  uc_prot permissions;
} bhb_page;
typedef bool (*bhb_page_callback)(uc_engine *uc, uint64_t address, uc_mem_type access, bhb_page *page,
                                  void *user);
enum { BHB_CTL_TLB_TYPE = 12, BHB_TLB_VIRTUAL = 1, BHB_HOOK_TLB_FILL = 1 << 17 };
_Static_assert(sizeof(bhb_page) == 16, "as uc_tlb_entry");

static inline bool bhb_same_page(uc_engine *uc, uint64_t address, uc_mem_type access, bhb_page *page,
                                 void *user) {
  (void)uc, (void)access, (void)user;
  page->physical = address;
  page->permissions = UC_PROT_ALL; // what the mapping permits is checked besides
  return true;
}

// Has every address mean itself.
static inline uc_err bhb_map_identically(uc_engine *uc, uc_hook *hook) {
  if (uc_version(NULL, NULL) >> 16 < 0x201) return UC_ERR_OK;
  uc_err error = uc_ctl(uc, UC_CTL_WRITE(BHB_CTL_TLB_TYPE, 1), BHB_TLB_VIRTUAL);
  if (error != UC_ERR_OK) return error;
  return uc_hook_add(uc, hook, BHB_HOOK_TLB_FILL, (void *)bhb_same_page, NULL, (uint64_t)1,
                     (uint64_t)0);
}

// Discards the translations of [begin, end): needed after code was changed from outside.
static inline uc_err bhb_remove_cache(uc_engine *uc, uint64_t begin, uint64_t end) {
  return uc_ctl_remove_cache(uc, begin, end);
}

// Chooses the CPU model, before anything else is done with the engine.
static inline uc_err bhb_set_cpu_model(uc_engine *uc, int model) {
  return uc_ctl_set_cpu_model(uc, model);
}
