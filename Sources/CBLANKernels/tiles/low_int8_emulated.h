/* Eight-bit numbers in sixteen bits, for instructions that multiply those in pairs. Before: LOW_PIXELS, LOW_BLOCKS,
   LOW_TABLE, low_dot. */
#define LOW_ENCODING LOW_ENCODING_INT16
#define LOW_WORDS 8
#define LOW_AT(p, word) ((p) * 8 + (word))
typedef v16i low_sum;

BLAN_INLINE v16i low_start(const int32_t *start) { return start != NULL ? *(const v16i *)start : (v16i){0}; }

BLAN_INLINE void low_keep(float *out, v16i sum) { *(v16i *)out = sum; }

BLAN_INLINE u16x16 low_bits(v16i x)
{
    const v16i least = {-128, -128, -128, -128, -128, -128, -128, -128, -128, -128, -128, -128, -128, -128, -128, -128};
    const v16i most = -least - 1, above = x > least;
    x = (x & above) | (least & ~above);
    const v16i below = x < most;
    return __builtin_convertvector((v16u)((x & below) | (most & ~below)), u16x16);
}

BLAN_INLINE void low_store16(void *out, v16i a)
{
    const u16x16 bits = low_bits(a);
    memcpy(out, &bits, sizeof bits);
}

BLAN_INLINE void low_store(uint32_t *out, v16i a, v16i b, v16i c, v16i d)
{
    u16x16 *run = (u16x16 *)out;
    run[0] = low_bits(a);
    run[1] = low_bits(b);
    run[2] = low_bits(c);
    run[3] = low_bits(d);
}

#include "low_int8.h"
