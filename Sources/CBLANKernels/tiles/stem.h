/* The stem's micro-kernel: 7x7, stride 2, on three planes padded by three pixels, so no tap needs a check. */
#include "../vector.h"
#include "step.h"

/* `computed` pixels are, `pixels` of them written: reading past a row's end is what its padding allows. */
BLAN_INLINE void stem_tile(const size_t computed, size_t pixels, const size_t blocks, float *restrict out,
                           size_t out_block_step, const float *restrict plane, size_t row_step, size_t plane_step,
                           const float *restrict w, const float *bias)
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
            for (size_t x = 0; x < 7; x++, w += blocks * BLAN_BLOCK)
                multiply_step(acc, computed, blocks, row + x, 2, w);
        }
    }
#pragma clang loop unroll(full)
    for (size_t b = 0; b < blocks; b++)
#pragma clang loop unroll(full)
        for (size_t p = 0; p < computed; p++)
            if (p < pixels)
                v16_store(out + b * out_block_step + p * BLAN_BLOCK, acc[b][p]);
}

BLAN_INLINE void stem_pixels(size_t pixels, const size_t blocks, float *out, size_t out_block_step, const float *plane,
                             size_t row_step, size_t plane_step, const float *w, const float *bias)
{
    if (pixels == TILE_PIXELS - 1)
        stem_tile(TILE_PIXELS - 1, pixels, blocks, out, out_block_step, plane, row_step, plane_step, w, bias);
    else
        stem_tile(TILE_PIXELS, pixels, blocks, out, out_block_step, plane, row_step, plane_step, w, bias);
}

static void stem(size_t pixels, size_t blocks, float *out, size_t out_block_step, const float *plane, size_t row_step,
                 size_t plane_step, const float *w, const float *bias)
{
#if TILE_BLOCKS >= 2
    if (blocks == 2) {
        stem_pixels(pixels, 2, out, out_block_step, plane, row_step, plane_step, w, bias);
        return;
    }
#endif
    (void)blocks;
    stem_pixels(pixels, 1, out, out_block_step, plane, row_step, plane_step, w, bias);
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

/* One row of outputs of the 3x3 max-pool of stride 2 and padding 1 over three rows of the convolution (NULL = outside),
   with the bias and the ReLU, which may as well come after it. */
static void stem_pool(size_t width, float *restrict out, const float *const rows[3], const float *bias)
{
    const v16 offset = bias != NULL ? v16_load(bias) : v16_splat(0);
    for (size_t x = 0; x < width; x += 2, out += BLAN_BLOCK) {
        v16 best = v16_load(rows[1] + x * BLAN_BLOCK);
        for (size_t y = 0; y < 3; y++) {
            if (rows[y] == NULL)
                continue;
            for (size_t column = x > 0 ? x - 1 : 0; column < x + 2; column++)
                best = v16_max(best, v16_load(rows[y] + column * BLAN_BLOCK));
        }
        v16_store(out, v16_relu(best + offset));
    }
}
