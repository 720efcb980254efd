#include "dispatch.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "include/blan_isa.h"

static const char *const isa_names[] = {"portable", "avx2", "avx512"};
static const blan_k_tile_table *const tables[] = {&blan_k_tiles_portable, &blan_k_tiles_avx2, &blan_k_tiles_avx512};

/* -1 until the first use; threads that race to set it all find the same value. */
static _Atomic int detected = -1;

/* What blan_k_isa_select chose for this thread; -1 = nothing. */
static _Thread_local int selected = -1;

static blan_k_isa best_supported(void)
{
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("fma"))
        return BLAN_K_ISA_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return BLAN_K_ISA_AVX2;
    return BLAN_K_ISA_PORTABLE;
}

blan_k_isa blan_k_isa_select(blan_k_isa isa)
{
    const blan_k_isa best = best_supported();
    selected = (int)(isa > best ? best : isa);
    return (blan_k_isa)selected;
}

static blan_k_isa detect(void)
{
    const blan_k_isa best = best_supported();
    const char *wanted = getenv("BLAN_ISA");
    for (int isa = BLAN_K_ISA_PORTABLE; wanted != NULL && isa <= BLAN_K_ISA_AVX512; isa++)
        if (strcmp(wanted, isa_names[isa]) == 0)
            return (blan_k_isa)isa > best ? best : (blan_k_isa)isa;
    return best;
}

blan_k_isa blan_k_isa_current(void)
{
    if (selected >= 0)
        return (blan_k_isa)selected;
    int isa = atomic_load_explicit(&detected, memory_order_relaxed);
    if (isa < 0) {
        isa = (int)detect();
        atomic_store_explicit(&detected, isa, memory_order_relaxed);
    }
    return (blan_k_isa)isa;
}

const char *blan_k_isa_name(void) { return isa_names[blan_k_isa_current()]; }

const blan_k_tile_table *blan_k_tiles(void) { return tables[blan_k_isa_current()]; }
