/* The inner step of every dense micro-kernel in f32: one channel of some pixels times its weights for some output blocks,
   one broadcast and `blocks` multiply-adds for every pixel. */
#ifndef BLAN_TILES_STEP_H
#define BLAN_TILES_STEP_H

#include "../vector.h"

/* acc[b][p] += x[p * x_step] * w[b][16]. */
BLAN_INLINE void multiply_step(v16 acc[TILE_BLOCKS][TILE_PIXELS], const size_t pixels, const size_t blocks,
                               const float *x, const size_t x_step, const float *w)
{
    v16 weight[TILE_BLOCKS];
#pragma clang loop unroll(full)
    for (size_t b = 0; b < blocks; b++)
        weight[b] = v16_load(w + b * BLAN_BLOCK);
#pragma clang loop unroll(full)
    for (size_t p = 0; p < pixels; p++) {
        const v16 value = v16_splat(x[p * x_step]);
#pragma clang loop unroll(full)
        for (size_t b = 0; b < blocks; b++)
            acc[b][p] += value * weight[b];
    }
}

#endif
