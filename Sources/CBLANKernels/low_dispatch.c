#include "low_dispatch.h"

#include "include/blan_isa.h"

bool blan_k_low_is_native(blan_k_low_precision precision)
{
    if (blan_k_isa_current() != BLAN_K_ISA_AVX512)
        return false;
    __builtin_cpu_init();
    return precision == BLAN_K_LOW_BF16 ? __builtin_cpu_supports("avx512bf16") : __builtin_cpu_supports("avx512vnni");
}

const low_table *blan_k_low_tiles(blan_k_low_precision precision)
{
    static const low_table *const tables[2][3] = {
        {&blan_k_low_bf16_portable, &blan_k_low_bf16_avx2, &blan_k_low_bf16_avx512},
        {&blan_k_low_int8_portable, &blan_k_low_int8_avx2, &blan_k_low_int8_avx512},
    };
    const blan_k_isa isa = blan_k_isa_current();
    if (isa == BLAN_K_ISA_AVX512)
        return tables[precision][blan_k_low_is_native(precision) ? 2 : 1];
    return tables[precision][isa == BLAN_K_ISA_AVX2];
}
