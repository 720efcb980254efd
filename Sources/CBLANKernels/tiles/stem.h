/* The stem's micro-kernel: 7x7, stride 2, on three planes padded by three pixels, so no tap needs a check. */
#include "../vector.h"

/* `computed` pixels are, `pixels` of them written: reading past a row's end is what its padding allows. */
BLAN_INLINE void stem_tile(const size_t computed, size_t pixels, const size_t blocks, float *restrict out, size_t out_block_step,
                           const float *restrict plane, size_t row_step, size_t plane_step, const float *restrict w,
                           const float *bias, bool relu)
{
    v16 acc[TILE_BLOCKS][TILE_PIXELS];
#pragma clang loop unroll(full)
    for (size_t b = 0; b < blocks; b++)
#pragma clang loop unroll(full)
        for (size_t p = 0; p < computed; p++)
            acc[b][p] = bias != NULL ? v16_load(bias + b * BLAN_BLOCK) : v16_splat(0);
    for (size_t channel = 0; channel < 3; channel++) {
        for (size_t y = 0; y < 7; y++) {
            const float *row = plane + channel * plane_step + y * row_step;
            for (size_t x = 0; x < 7; x++, w += blocks * BLAN_BLOCK) {
                v16 weight[TILE_BLOCKS];
#pragma clang loop unroll(full)
                for (size_t b = 0; b < blocks; b++)
                    weight[b] = v16_load(w + b * BLAN_BLOCK);
#pragma clang loop unroll(full)
                for (size_t p = 0; p < computed; p++) {
                    const v16 value = v16_splat(row[x + 2 * p]);
#pragma clang loop unroll(full)
                    for (size_t b = 0; b < blocks; b++)
                        acc[b][p] += value * weight[b];
                }
            }
        }
    }
#pragma clang loop unroll(full)
    for (size_t b = 0; b < blocks; b++)
#pragma clang loop unroll(full)
        for (size_t p = 0; p < computed; p++)
            if (p < pixels)
                v16_store(out + b * out_block_step + p * BLAN_BLOCK, relu ? v16_relu(acc[b][p]) : acc[b][p]);
}

BLAN_INLINE void stem_pixels(size_t pixels, const size_t blocks, float *out, size_t out_block_step, const float *plane,
                             size_t row_step, size_t plane_step, const float *w, const float *bias, bool relu)
{
    if (pixels == TILE_PIXELS - 1)
        stem_tile(TILE_PIXELS - 1, pixels, blocks, out, out_block_step, plane, row_step, plane_step, w, bias, relu);
    else
        stem_tile(TILE_PIXELS, pixels, blocks, out, out_block_step, plane, row_step, plane_step, w, bias, relu);
}

static void stem(size_t pixels, size_t blocks, float *out, size_t out_block_step, const float *plane, size_t row_step,
                 size_t plane_step, const float *w, const float *bias, bool relu)
{
#if TILE_BLOCKS >= 2
    if (blocks == 2) {
        stem_pixels(pixels, 2, out, out_block_step, plane, row_step, plane_step, w, bias, relu);
        return;
    }
#endif
    (void)blocks;
    stem_pixels(pixels, 1, out, out_block_step, plane, row_step, plane_step, w, bias, relu);
}

/* The weight gradient's micro-kernel: sums[plane][x][16] += the pixels that column x of one row of the kernel meets,
   times the gradients of `pixels` adjacent outputs. */
static void stem_outer(size_t pixels, float *restrict sums, const float *restrict row, size_t plane_step,
                       const float *restrict gradient)
{
    for (size_t first = 0; first < 3; first += STEM_OUTER_PLANES) {
        v16 acc[STEM_OUTER_PLANES * 7];
#pragma clang loop unroll(full)
        for (size_t i = 0; i < STEM_OUTER_PLANES * 7; i++)
            acc[i] = v16_load(sums + (first * 7 + i) * BLAN_BLOCK);
        for (size_t p = 0; p < pixels; p++) {
            const v16 dy = v16_load(gradient + p * BLAN_BLOCK);
#pragma clang loop unroll(full)
            for (size_t plane = 0; plane < STEM_OUTER_PLANES; plane++)
#pragma clang loop unroll(full)
                for (size_t x = 0; x < 7; x++)
                    acc[plane * 7 + x] += v16_splat(row[(first + plane) * plane_step + 2 * p + x]) * dy;
        }
#pragma clang loop unroll(full)
        for (size_t i = 0; i < STEM_OUTER_PLANES * 7; i++)
            v16_store(sums + (first * 7 + i) * BLAN_BLOCK, acc[i]);
    }
}
