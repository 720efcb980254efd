/* The weight gradient's micro-kernel: a sum of outer products of input pixels and output gradients. */
#include "../vector.h"

static void outer(size_t pixels, float *restrict dw, bool add, const float *restrict x, const float *restrict dy)
{
    for (size_t c = 0; c < BLAN_BLOCK; c += OUTER_CHANNELS) {
        v16 acc[OUTER_CHANNELS];
#pragma clang loop unroll(full)
        for (size_t i = 0; i < OUTER_CHANNELS; i++)
            acc[i] = add ? v16_load(dw + (c + i) * BLAN_BLOCK) : v16_splat(0);
        for (size_t p = 0; p < pixels; p++) {
            const v16 gradient = v16_load(dy + p * BLAN_BLOCK);
#pragma clang loop unroll(full)
            for (size_t i = 0; i < OUTER_CHANNELS; i++)
                acc[i] += v16_splat(x[p * BLAN_BLOCK + c + i]) * gradient;
        }
#pragma clang loop unroll(full)
        for (size_t i = 0; i < OUTER_CHANNELS; i++)
            v16_store(dw + (c + i) * BLAN_BLOCK, acc[i]);
    }
}
