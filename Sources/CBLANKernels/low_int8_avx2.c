/* Eight-bit integers for AVX2. */
#include <immintrin.h>

#include "low_dispatch.h"

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

#include "tiles/low_vector.h"

#define LOW_PIXELS 4
#define LOW_BLOCKS 1
#define LOW_TABLE blan_k_low_int8_avx2

typedef union low_halves {
    v16u words;
    v16i integers;
    __m256i part[2];
} low_halves;

BLAN_INLINE v16i low_dot(v16i sum, v16u x, v16u w)
{
    const low_halves a = {.words = x}, b = {.words = w};
    low_halves product;
    product.part[0] = _mm256_madd_epi16(a.part[0], b.part[0]);
    product.part[1] = _mm256_madd_epi16(a.part[1], b.part[1]);
    return sum + product.integers;
}

#include "tiles/low_int8_emulated.h"

#pragma clang attribute pop
