/* The dense micro-kernel: a register block of pixels x output blocks, one broadcast and `blocks` multiply-adds for
   every pixel and channel. Winograd's products and 1x1 convolutions run on it. */
#include "../vector.h"
#include "step.h"

/* Weights are asked for so far ahead: they come from memory, and the CPU does not see the end of a page coming. */
enum { PREFETCH_LINES = 128 };

BLAN_INLINE void multiply_tile(const size_t pixels, const size_t blocks, float *restrict out, size_t out_block_step,
                               const float *restrict a, size_t a_block_step, size_t channels,
                               const float *restrict w)
{
    v16 acc[TILE_BLOCKS][TILE_PIXELS];
#pragma clang loop unroll(full)
    for (size_t b = 0; b < blocks; b++)
#pragma clang loop unroll(full)
        for (size_t p = 0; p < pixels; p++)
            acc[b][p] = v16_splat(0);
    for (size_t ib = 0; ib * BLAN_BLOCK < channels; ib++, a += a_block_step) {
        const size_t left = channels - ib * BLAN_BLOCK, count = left < BLAN_BLOCK ? left : BLAN_BLOCK;
        if (ib > 0 && ib % BLAN_SUMMED_BLOCKS == 0) {
#pragma clang loop unroll(full)
            for (size_t b = 0; b < blocks; b++)
#pragma clang loop unroll(full)
                for (size_t p = 0; p < pixels; p++) {
                    float *sum = out + b * out_block_step + p * BLAN_BLOCK;
                    v16_store(sum, ib == BLAN_SUMMED_BLOCKS ? acc[b][p] : v16_load(sum) + acc[b][p]);
                    acc[b][p] = v16_splat(0);
                }
        }
        for (size_t c = 0; c < count; c++, w += blocks * BLAN_BLOCK) {
#pragma clang loop unroll(full)
            for (size_t b = 0; b < blocks; b++)
                __builtin_prefetch(w + (PREFETCH_LINES + b) * BLAN_BLOCK);
            multiply_step(acc, pixels, blocks, a + c, BLAN_BLOCK, w);
        }
    }
#pragma clang loop unroll(full)
    for (size_t b = 0; b < blocks; b++)
#pragma clang loop unroll(full)
        for (size_t p = 0; p < pixels; p++) {
            float *sum = out + b * out_block_step + p * BLAN_BLOCK;
            v16_store(sum, channels > BLAN_SUMMED_BLOCKS * BLAN_BLOCK ? v16_load(sum) + acc[b][p] : acc[b][p]);
        }
}

BLAN_INLINE void multiply_pixels(size_t pixels, const size_t blocks, float *out, size_t out_block_step, const float *a,
                                 size_t a_block_step, size_t channels, const float *w)
{
    switch (pixels) {
    case 1: multiply_tile(1, blocks, out, out_block_step, a, a_block_step, channels, w); break;
    case 2: multiply_tile(2, blocks, out, out_block_step, a, a_block_step, channels, w); break;
#if TILE_PIXELS >= 6
    case 3: multiply_tile(3, blocks, out, out_block_step, a, a_block_step, channels, w); break;
    case 4: multiply_tile(4, blocks, out, out_block_step, a, a_block_step, channels, w); break;
    case 5: multiply_tile(5, blocks, out, out_block_step, a, a_block_step, channels, w); break;
    case 6: multiply_tile(6, blocks, out, out_block_step, a, a_block_step, channels, w); break;
#endif
#if TILE_PIXELS >= 12
    case 7: multiply_tile(7, blocks, out, out_block_step, a, a_block_step, channels, w); break;
    case 8: multiply_tile(8, blocks, out, out_block_step, a, a_block_step, channels, w); break;
    case 9: multiply_tile(9, blocks, out, out_block_step, a, a_block_step, channels, w); break;
    case 10: multiply_tile(10, blocks, out, out_block_step, a, a_block_step, channels, w); break;
    case 11: multiply_tile(11, blocks, out, out_block_step, a, a_block_step, channels, w); break;
    case 12: multiply_tile(12, blocks, out, out_block_step, a, a_block_step, channels, w); break;
#endif
#if TILE_PIXELS >= 14
    case 13: multiply_tile(13, blocks, out, out_block_step, a, a_block_step, channels, w); break;
    case 14: multiply_tile(14, blocks, out, out_block_step, a, a_block_step, channels, w); break;
#endif
    default: break;
    }
}

static void multiply(size_t pixels, size_t blocks, float *out, size_t out_block_step, const float *a,
                     size_t a_block_step, size_t channels, const float *w)
{
#if TILE_BLOCKS >= 2
    if (blocks == 2) {
        multiply_pixels(pixels, 2, out, out_block_step, a, a_block_step, channels, w);
        return;
    }
#endif
    (void)blocks;
    multiply_pixels(pixels, 1, out, out_block_step, a, a_block_step, channels, w);
}
