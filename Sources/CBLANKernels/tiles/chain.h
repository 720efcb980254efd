/* Micro-kernels of chains (blan_chain.h). The input is blocked by `lanes`: sixteen channels for a map, one for planes. */
#include "../vector.h"
#include "step.h"

BLAN_INLINE void valid_tile(const size_t pixels, const size_t blocks, const size_t lanes,
                            const blan_k_valid_tile *restrict tile, const float *restrict w)
{
    v16 acc[TILE_BLOCKS][TILE_PIXELS];
#pragma clang loop unroll(full)
    for (size_t b = 0; b < blocks; b++)
#pragma clang loop unroll(full)
        for (size_t p = 0; p < pixels; p++)
            acc[b][p] = v16_load(tile->bias + b * BLAN_BLOCK);
    for (size_t y = 0; y < tile->kernel; y++) {
        for (size_t x = 0; x < tile->kernel; x++) {
            const float *in = tile->in + y * tile->row_step + x * lanes;
            for (size_t left = tile->channels; left > 0; in += tile->block_step) {
                const size_t count = left < lanes ? left : lanes;
                left -= count;
                for (size_t c = 0; c < count; c++, w += blocks * BLAN_BLOCK)
                    multiply_step(acc, pixels, blocks, in + c, lanes, w);
            }
        }
    }
#pragma clang loop unroll(full)
    for (size_t b = 0; b < blocks; b++) {
        const v16 slope = tile->slope != NULL ? v16_load(tile->slope + b * BLAN_BLOCK) : v16_splat(1);
#pragma clang loop unroll(full)
        for (size_t p = 0; p < pixels; p++) {
            const v16 value = acc[b][p];
            v16_store(tile->out + b * tile->out_block_step + p * BLAN_BLOCK,
                      v16_select(value < v16_splat(0), value * slope, value));
        }
    }
}

BLAN_INLINE void valid_pixels(size_t pixels, const size_t blocks, const size_t lanes, const blan_k_valid_tile *tile,
                              const float *w)
{
    switch (pixels) {
    case 1: valid_tile(1, blocks, lanes, tile, w); break;
    case 2: valid_tile(2, blocks, lanes, tile, w); break;
#if TILE_PIXELS >= 6
    case 3: valid_tile(3, blocks, lanes, tile, w); break;
    case 4: valid_tile(4, blocks, lanes, tile, w); break;
    case 5: valid_tile(5, blocks, lanes, tile, w); break;
    case 6: valid_tile(6, blocks, lanes, tile, w); break;
#endif
#if TILE_PIXELS >= 14
    case 7: valid_tile(7, blocks, lanes, tile, w); break;
    case 8: valid_tile(8, blocks, lanes, tile, w); break;
    case 9: valid_tile(9, blocks, lanes, tile, w); break;
    case 10: valid_tile(10, blocks, lanes, tile, w); break;
    case 11: valid_tile(11, blocks, lanes, tile, w); break;
    case 12: valid_tile(12, blocks, lanes, tile, w); break;
    case 13: valid_tile(13, blocks, lanes, tile, w); break;
    case 14: valid_tile(14, blocks, lanes, tile, w); break;
#endif
    default: break;
    }
}

static void valid_map(size_t pixels, size_t blocks, const blan_k_valid_tile *tile, const float *w)
{
#if TILE_BLOCKS >= 2
    if (blocks == 2) {
        valid_pixels(pixels, 2, BLAN_BLOCK, tile, w);
        return;
    }
#endif
    (void)blocks;
    valid_pixels(pixels, 1, BLAN_BLOCK, tile, w);
}

static void valid_planes(size_t pixels, size_t blocks, const blan_k_valid_tile *tile, const float *w)
{
#if TILE_BLOCKS >= 2
    if (blocks == 2) {
        valid_pixels(pixels, 2, 1, tile, w);
        return;
    }
#endif
    (void)blocks;
    valid_pixels(pixels, 1, 1, tile, w);
}

/* One row of the max-pool of stride 2 of one channel block: windows of `size` columns of the `count` rows, the last cut
   off at `width`. */
static void pool_valid(size_t out_width, size_t width, size_t size, size_t count, float *restrict out,
                       const float *const rows[3])
{
    for (size_t x = 0; x < out_width; x++, out += BLAN_BLOCK) {
        const size_t first = 2 * x, end = first + size < width ? first + size : width;
        v16 best = v16_load(rows[0] + first * BLAN_BLOCK);
        for (size_t y = 0; y < count; y++)
            for (size_t column = first; column < end; column++)
                best = v16_max(best, v16_load(rows[y] + column * BLAN_BLOCK));
        v16_store(out, best);
    }
}
