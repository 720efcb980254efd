/* bfloat16 for AVX2 and FMA. */
#include "low_dispatch.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

#define LOW_PIXELS 4
#define LOW_BLOCKS 1
#define LOW_TABLE blan_k_low_bf16_avx2

#include "tiles/low_bf16_emulated.h"

#pragma clang attribute pop
