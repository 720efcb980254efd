/* The direct convolution's micro-kernel: like multiply.h, but over a list of entries, each with pixels and weights of
   its own, and with all that a convolution adds at the end. */
#include "../vector.h"
#include "step.h"

BLAN_INLINE void direct_tile(const size_t pixels, const size_t blocks, const blan_k_direct_tile *tile,
                             const float *restrict packed)
{
    v16 acc[TILE_BLOCKS][TILE_PIXELS], sums[TILE_BLOCKS][TILE_PIXELS];
#pragma clang loop unroll(full)
    for (size_t b = 0; b < blocks; b++)
#pragma clang loop unroll(full)
        for (size_t p = 0; p < pixels; p++)
            acc[b][p] = sums[b][p] = v16_splat(0);
    size_t part = 0;
    for (size_t entry = 0; entry < tile->entries; entry++) {
        const blan_k_direct_entry *e = &tile->entry[entry];
        const float *in = e->pixels, *restrict w = packed + e->weights * blocks;
        /* Which blocks make a partial sum follows from their place among the weights, not from the entries that are
           there: pixels may meet the same numbers in different company. */
        size_t block = e->weights / (BLAN_BLOCK * BLAN_BLOCK);
        for (size_t ib = e->in_blocks; ib > 0; ib--, in += e->block_step, block++) {
            if (block / BLAN_SUMMED_BLOCKS != part) {
                part = block / BLAN_SUMMED_BLOCKS;
#pragma clang loop unroll(full)
                for (size_t b = 0; b < blocks; b++)
#pragma clang loop unroll(full)
                    for (size_t p = 0; p < pixels; p++) {
                        sums[b][p] += acc[b][p];
                        acc[b][p] = v16_splat(0);
                    }
            }
            for (size_t c = 0; c < BLAN_BLOCK; c++, w += blocks * BLAN_BLOCK)
                multiply_step(acc, pixels, blocks, in + c, BLAN_BLOCK, w);
        }
    }
#pragma clang loop unroll(full)
    for (size_t b = 0; b < blocks; b++) {
        const v16 bias = tile->bias != NULL ? v16_load(tile->bias + b * BLAN_BLOCK) : v16_splat(0);
#pragma clang loop unroll(full)
        for (size_t p = 0; p < pixels; p++) {
            const size_t at = tile->places[p] + b * tile->out_block_step;
            v16 value = sums[b][p] + acc[b][p] + bias;
            if (tile->residual != NULL)
                value += v16_load(tile->residual + at);
            if (tile->accumulate)
                value += v16_load(tile->out + at);
            v16_store(tile->out + at, tile->relu ? v16_relu(value) : value);
        }
    }
}

BLAN_INLINE void direct_pixels(size_t pixels, const size_t blocks, const blan_k_direct_tile *tile, const float *w)
{
    switch (pixels) {
    case 1: direct_tile(1, blocks, tile, w); break;
    case 2: direct_tile(2, blocks, tile, w); break;
#if TILE_PIXELS >= 6
    case 3: direct_tile(3, blocks, tile, w); break;
    case 4: direct_tile(4, blocks, tile, w); break;
    case 5: direct_tile(5, blocks, tile, w); break;
    case 6: direct_tile(6, blocks, tile, w); break;
#endif
#if TILE_PIXELS >= 14
    case 7: direct_tile(7, blocks, tile, w); break;
    case 8: direct_tile(8, blocks, tile, w); break;
    case 9: direct_tile(9, blocks, tile, w); break;
    case 10: direct_tile(10, blocks, tile, w); break;
    case 11: direct_tile(11, blocks, tile, w); break;
    case 12: direct_tile(12, blocks, tile, w); break;
    case 13: direct_tile(13, blocks, tile, w); break;
    case 14: direct_tile(14, blocks, tile, w); break;
#endif
    default: break;
    }
}

static void direct(size_t pixels, size_t blocks, const blan_k_direct_tile *tile, const float *w)
{
#if TILE_BLOCKS >= 2
    if (blocks == 2) {
        direct_pixels(pixels, 2, tile, w);
        return;
    }
#endif
    (void)blocks;
    direct_pixels(pixels, 1, tile, w);
}
