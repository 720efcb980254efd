/* Eight-bit integers for AVX512-VNNI: four products and their sum for each of sixteen outputs in one instruction. */
#include <immintrin.h>

#include "low_dispatch.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma"))), \
                             apply_to = function)

#include "tiles/low_vector.h"

#define LOW_PIXELS 12
#define LOW_BLOCKS 2
#define LOW_ENCODING LOW_ENCODING_INT8
#define LOW_WORDS 4
/* A run is stored as packing leaves it: word by word, the four pixels' side by side. */
#define LOW_AT(p, word) ((p) / 4 * 16 + (word) * 4 + (p) % 4)
#define LOW_TABLE blan_k_low_int8_avx512
typedef v16i low_sum;

BLAN_INLINE v16i low_start(const int32_t *start) { return start != NULL ? *(const v16i *)start : (v16i){0}; }

BLAN_INLINE void low_keep(float *out, v16i sum) { *(v16i *)out = sum; }

BLAN_INLINE v16i low_dot(v16i sum, v16u x, v16u w)
{
    return (v16i)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)x, (__m512i)w);
}

BLAN_INLINE void low_store16(void *out, v16i a)
{
    _mm_storeu_si128(out, _mm_xor_si128(_mm512_cvtsepi32_epi8((__m512i)a), _mm_set1_epi8((char)0x80)));
}

BLAN_INLINE void low_store(uint32_t *out, v16i a, v16i b, v16i c, v16i d)
{
    const __m512i words = _mm512_packs_epi16(_mm512_packs_epi32((__m512i)a, (__m512i)b),
                                             _mm512_packs_epi32((__m512i)c, (__m512i)d));
    _mm512_store_si512(out, _mm512_xor_si512(words, _mm512_set1_epi8((char)0x80)));
}

#include "tiles/low_int8.h"

#pragma clang attribute pop
