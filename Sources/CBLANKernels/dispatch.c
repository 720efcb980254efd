#include "dispatch.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {"portable", "avx2", "avx512"};

static blan_k_isa best_supported(void)
{
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return BLAN_K_ISA_PORTABLE;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
        return BLAN_K_ISA_AVX512;
    return BLAN_K_ISA_AVX2;
#else
    return BLAN_K_ISA_PORTABLE;
#endif
}

static blan_k_isa decide(void)
{
    const blan_k_isa best = best_supported();
    const char *forced = getenv("BLAN_ISA");
    for (blan_k_isa isa = BLAN_K_ISA_PORTABLE; forced && isa < best; isa++)
        if (strcmp(forced, names[isa]) == 0)
            return isa;
    return best;
}

/* The choice plus one; zero until the first call. Two threads that race here decide alike. */
static _Atomic int chosen;

blan_k_isa blan_k_isa_in_use(void)
{
    int value = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (value == 0) {
        value = (int)decide() + 1;
        atomic_store_explicit(&chosen, value, memory_order_relaxed);
    }
    return (blan_k_isa)(value - 1);
}

const char *blan_k_isa_name(void) { return names[blan_k_isa_in_use()]; }

bool blan_k_set_isa_for_testing(blan_k_isa isa)
{
    if (isa > best_supported())
        return false;
    atomic_store_explicit(&chosen, (int)isa + 1, memory_order_relaxed);
    return true;
}
