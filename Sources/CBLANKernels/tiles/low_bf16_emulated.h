/* bfloat16 where no instruction multiplies it: its bits are the upper half of a float's. Before: LOW_PIXELS, LOW_BLOCKS,
   LOW_TABLE. */
#include "low_vector.h"

#define LOW_WORDS 8
#define LOW_AT(p, word) ((p) * 8 + (word))
typedef v16 low_sum;

BLAN_INLINE v16 low_start(const int32_t *start)
{
    (void)start;
    return v16_splat(0);
}

BLAN_INLINE void low_keep(float *out, v16 sum) { v16_store(out, sum); }

BLAN_INLINE v16 low_dot(v16 sum, v16u x, v16u w)
{
    const uint32_t upper = 0xffff0000;
    sum += (v16)(x << 16) * (v16)(w << 16);
    return sum + (v16)(x & upper) * (v16)(w & upper);
}

BLAN_INLINE u16x16 low_bits(v16 x)
{
    const v16u bits = (v16u)x;
    const v16u rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    const v16u number = (v16u)(x == x);
    return __builtin_convertvector((rounded & number) | (0x7fc0 & ~number), u16x16);
}

BLAN_INLINE void low_store16(void *out, v16 a)
{
    const u16x16 bits = low_bits(a);
    memcpy(out, &bits, sizeof bits);
}

BLAN_INLINE void low_store(uint32_t *out, v16 a, v16 b, v16 c, v16 d)
{
    u16x16 *run = (u16x16 *)out;
    run[0] = low_bits(a);
    run[1] = low_bits(b);
    run[2] = low_bits(c);
    run[3] = low_bits(d);
}

#include "low_bf16.h"
