/* The dense micro-kernel of reduced precision. Before: LOW_PIXELS, LOW_BLOCKS, LOW_WORDS; LOW_AT(p, word), the place of a
   pixel's word in a strip; the type low_sum; low_dot, low_start and low_keep. */
#include "../low_dispatch.h"
#include "low_vector.h"

BLAN_INLINE void low_multiply_tile(const size_t pixels, const size_t blocks, float *restrict out,
                                   size_t out_block_step, const uint32_t *restrict a, size_t a_block_step,
                                   size_t in_blocks, const uint32_t *restrict w, const int32_t *start)
{
    low_sum acc[LOW_BLOCKS][LOW_PIXELS];
#pragma clang loop unroll(full)
    for (size_t b = 0; b < blocks; b++)
#pragma clang loop unroll(full)
        for (size_t p = 0; p < pixels; p++)
            acc[b][p] = low_start(start != NULL ? start + b * BLAN_BLOCK : NULL);
    for (size_t ib = 0; ib < in_blocks; ib++, a += a_block_step) {
#pragma clang loop unroll(full)
        for (size_t word = 0; word < LOW_WORDS; word++, w += blocks * BLAN_BLOCK) {
            v16u weight[LOW_BLOCKS];
#pragma clang loop unroll(full)
            for (size_t b = 0; b < blocks; b++)
                weight[b] = v16u_load(w + b * BLAN_BLOCK);
#pragma clang loop unroll(full)
            for (size_t p = 0; p < pixels; p++) {
                const v16u x = v16u_splat(a[LOW_AT(p, word)]);
#pragma clang loop unroll(full)
                for (size_t b = 0; b < blocks; b++)
                    acc[b][p] = low_dot(acc[b][p], x, weight[b]);
            }
        }
    }
#pragma clang loop unroll(full)
    for (size_t b = 0; b < blocks; b++)
#pragma clang loop unroll(full)
        for (size_t p = 0; p < pixels; p++)
            low_keep(out + b * out_block_step + p * BLAN_BLOCK, acc[b][p]);
}

BLAN_INLINE void low_multiply_pixels(size_t pixels, const size_t blocks, float *out, size_t out_block_step,
                                     const uint32_t *a, size_t a_block_step, size_t in_blocks, const uint32_t *w,
                                     const int32_t *start)
{
    switch (pixels) {
    case 4: low_multiply_tile(4, blocks, out, out_block_step, a, a_block_step, in_blocks, w, start); break;
#if LOW_PIXELS >= 12
    case 8: low_multiply_tile(8, blocks, out, out_block_step, a, a_block_step, in_blocks, w, start); break;
    case 12: low_multiply_tile(12, blocks, out, out_block_step, a, a_block_step, in_blocks, w, start); break;
#endif
    default: break;
    }
}

static void low_multiply(size_t pixels, size_t blocks, float *out, size_t out_block_step, const uint32_t *a,
                         size_t a_block_step, size_t in_blocks, const uint32_t *w, const int32_t *start)
{
#if LOW_BLOCKS >= 2
    if (blocks == 2) {
        low_multiply_pixels(pixels, 2, out, out_block_step, a, a_block_step, in_blocks, w, start);
        return;
    }
#endif
    (void)blocks;
    low_multiply_pixels(pixels, 1, out, out_block_step, a, a_block_step, in_blocks, w, start);
}
