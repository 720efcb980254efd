/* The direct convolution's micro-kernel: like multiply.h, but every pixel is reached through a pointer, so padding,
   stride, enlargement and concatenation cost nothing. A tile short of pixels still computes TILE_PIXELS: its pointer
   table is filled up with zero blocks by the driver. */
#include "../vector.h"

BLAN_INLINE void gather_tile(size_t pixels, const size_t blocks, const blan_k_gather_tile *tile,
                             const float *restrict packed)
{
    v16 acc[TILE_BLOCKS][TILE_PIXELS];
#pragma clang loop unroll(full)
    for (size_t b = 0; b < blocks; b++)
#pragma clang loop unroll(full)
        for (size_t p = 0; p < TILE_PIXELS; p++)
            acc[b][p] = v16_splat(0);
    for (size_t entry = 0; entry < tile->entries; entry++) {
        const float *in[TILE_PIXELS];
        const size_t *steps = tile->steps + entry * TILE_PIXELS;
        const float *restrict w = packed + tile->weights[entry] * blocks;
#pragma clang loop unroll(full)
        for (size_t p = 0; p < TILE_PIXELS; p++)
            in[p] = tile->pixels[entry * TILE_PIXELS + p];
        for (size_t ib = tile->in_blocks[entry]; ib > 0; ib--) {
            for (size_t c = 0; c < BLAN_BLOCK; c++, w += blocks * BLAN_BLOCK) {
                v16 weight[TILE_BLOCKS];
#pragma clang loop unroll(full)
                for (size_t b = 0; b < blocks; b++)
                    weight[b] = v16_load(w + b * BLAN_BLOCK);
#pragma clang loop unroll(full)
                for (size_t p = 0; p < TILE_PIXELS; p++) {
                    const v16 x = v16_splat(in[p][c]);
#pragma clang loop unroll(full)
                    for (size_t b = 0; b < blocks; b++)
                        acc[b][p] += x * weight[b];
                }
            }
#pragma clang loop unroll(full)
            for (size_t p = 0; p < TILE_PIXELS; p++)
                in[p] += steps[p];
        }
    }
#pragma clang loop unroll(full)
    for (size_t b = 0; b < blocks; b++) {
        const v16 bias = tile->bias != NULL ? v16_load(tile->bias + b * BLAN_BLOCK) : v16_splat(0);
#pragma clang loop unroll(full)
        for (size_t p = 0; p < TILE_PIXELS; p++) {
            if (p < pixels) {
                float *out = tile->outputs[p] + b * tile->out_block_step;
                v16 value = acc[b][p] + bias;
                if (tile->residuals != NULL)
                    value += v16_load(tile->residuals[p] + b * tile->out_block_step);
                if (tile->accumulate)
                    value += v16_load(out);
                v16_store(out, tile->relu ? v16_relu(value) : value);
            }
        }
    }
}

static void gather(size_t pixels, size_t blocks, const blan_k_gather_tile *tile, const float *w)
{
#if TILE_BLOCKS >= 2
    if (blocks == 2) {
        gather_tile(pixels, 2, tile, w);
        return;
    }
#endif
    (void)blocks;
    gather_tile(pixels, 1, tile, w);
}
