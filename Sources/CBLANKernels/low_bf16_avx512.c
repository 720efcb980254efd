/* bfloat16 for AVX512-BF16: two products and their sum for each of sixteen outputs in one instruction. */
#include <immintrin.h>

#include "low_dispatch.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma"))), \
                             apply_to = function)

#include "tiles/low_vector.h"

#define LOW_PIXELS 12
#define LOW_BLOCKS 2
#define LOW_WORDS 8
#define LOW_AT(p, word) ((p) * 8 + (word))
#define LOW_TABLE blan_k_low_bf16_avx512
typedef v16 low_sum;

BLAN_INLINE v16 low_start(const int32_t *start)
{
    (void)start;
    return v16_splat(0);
}

BLAN_INLINE void low_keep(float *out, v16 sum) { v16_store(out, sum); }

BLAN_INLINE v16 low_dot(v16 sum, v16u x, v16u w)
{
    return (v16)_mm512_dpbf16_ps((__m512)sum, (__m512bh)w, (__m512bh)x);
}

BLAN_INLINE void low_store16(void *out, v16 a) { _mm256_storeu_si256(out, (__m256i)_mm512_cvtneps_pbh((__m512)a)); }

BLAN_INLINE void low_store(uint32_t *out, v16 a, v16 b, v16 c, v16 d)
{
    _mm512_store_si512(out, (__m512i)_mm512_cvtne2ps_pbh((__m512)b, (__m512)a));
    _mm512_store_si512(out + BLAN_BLOCK, (__m512i)_mm512_cvtne2ps_pbh((__m512)d, (__m512)c));
}

#include "tiles/low_bf16.h"

#pragma clang attribute pop
