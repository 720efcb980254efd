/*
 * Tile functions of eight-bit integers. Before: what low_multiply.h wants; LOW_ENCODING, LOW_TABLE; low_store(out, a, b,
 * c, d), which writes sixteen integers of each of four pixels as a run, those beyond -128..127 as the nearest of these;
 * low_store16(out, a), which writes sixteen as they are, one after another.
 */
#include "low_multiply.h"

/* Adding 1.5 * 2^23 leaves the nearest integer (ties to even) in the lowest bits. What is smaller by more than that would
   come out positive; anything beyond -128 is cut later. */
#define LOW_ROUNDING 12582912.0f
#define LOW_SMALLEST -1e6f
#define LOW_ROUNDING_BITS 0x4b400000

BLAN_INLINE v16i low_round(v16 x, v16 scale)
{
    return (v16i)(v16_max(x * scale, v16_splat(LOW_SMALLEST)) + LOW_ROUNDING) - LOW_ROUNDING_BITS;
}

/* Row `i` of B^T d for F(2x2, 3x3): two rows of pixels, added or subtracted. */
BLAN_INLINE v16 low_combine2(size_t i, const float *restrict pixel, size_t row_step)
{
    const v16 d1 = v16_load(pixel + row_step), d2 = v16_load(pixel + 2 * row_step);
    switch (i) {
    case 0: return v16_load(pixel) - d2;
    case 1: return d1 + d2;
    case 2: return d2 - d1;
    default: return d1 - v16_load(pixel + 3 * row_step);
    }
}

static void low_input2(uint32_t *restrict v, size_t step, const low_windows *windows)
{
    float copy[4 * 10 * BLAN_BLOCK] __attribute__((aligned(64)));
    const low_patch patch = low_patch_of(windows, 4, 10, copy);
#pragma clang loop unroll(full)
    for (size_t i = 0; i < 4; i++, v += 4 * step) {
        v16 t[10];
#pragma clang loop unroll(full)
        for (size_t x = 0; x < 10; x++)
            t[x] = low_combine2(i, patch.pixels + x * BLAN_BLOCK, patch.row_step);
#pragma clang loop unroll(full)
        for (size_t j = 0; j < 4; j++) {
            const v16 scale = v16_load(windows->scale + (i * 4 + j) * BLAN_BLOCK);
            v16i q[4];
#pragma clang loop unroll(full)
            for (size_t tile = 0; tile < 4; tile++) {
                const v16 *d = t + 2 * tile;
                const v16 value = j == 0 ? d[0] - d[2] : j == 1 ? d[1] + d[2] : j == 2 ? d[2] - d[1] : d[1] - d[3];
                q[tile] = low_round(value, scale);
            }
            low_store(v + j * step, q[0], q[1], q[2], q[3]);
        }
    }
}

BLAN_INLINE v16 low_float(const float *integers) { return __builtin_convertvector(*(const v16i *)integers, v16); }

static void low_output2(const low_output *output, const float *restrict products, size_t step)
{
    v16 upper[4], lower[4];
#pragma clang loop unroll(full)
    for (size_t x = 0; x < 4; x++) {
        v16 m[4];
#pragma clang loop unroll(full)
        for (size_t y = 0; y < 4; y++)
            m[y] = low_float(products + (y * 4 + x) * step) *
                   v16_load(output->scale + (y * 4 + x) * output->scale_step);
        upper[x] = m[0] + m[1] + m[2];
        lower[x] = m[1] - m[2] - m[3];
    }
    const v16 bias = low_bias(output);
    for (size_t y = 0; y < 2 && y < output->rows; y++) {
        const v16 *line = y == 0 ? upper : lower;
        low_write(output, y * output->row_step, line[0] + line[1] + line[2], bias);
        if (output->columns > 1)
            low_write(output, y * output->row_step + BLAN_BLOCK, line[1] - line[2] - line[3], bias);
    }
}

static void low_collect(size_t blocks, uint32_t *restrict out, size_t block_step, const float *const pixels[LOW_RUN],
                        size_t in_block_step, const float *scale)
{
    for (size_t block = 0; block < blocks; block++, out += block_step) {
        const v16 factor = v16_load(scale + block * BLAN_BLOCK);
        v16i q[LOW_RUN];
#pragma clang loop unroll(full)
        for (size_t p = 0; p < LOW_RUN; p++)
            q[p] = low_round(pixels[p] != NULL ? v16_load(pixels[p] + block * in_block_step) : v16_splat(0), factor);
        low_store(out, q[0], q[1], q[2], q[3]);
    }
}

static void low_finish(size_t pixels, const low_output *output, const size_t *places, const float *restrict products)
{
    const v16 bias = low_bias(output), scale = v16_load(output->scale);
    for (size_t p = 0; p < pixels; p++)
        low_write(output, places[p], low_float(products + p * BLAN_BLOCK) * scale, bias);
}

static void low_round16(void *out, const float *pixels, float scale)
{
    low_store16(out, low_round(v16_load_any(pixels), v16_splat(scale)));
}

static void low_dot4(size_t count, float *restrict out, const float *restrict x, const void *w, size_t row_bytes,
                     const float *scale)
{
    v16 acc[4] = {0};
    for (size_t i = 0; i < count; i += BLAN_BLOCK) {
        const v16 value = v16_load(x + i);
#pragma clang loop unroll(full)
        for (size_t row = 0; row < 4; row++)
            acc[row] += value *
                        __builtin_convertvector(*(const s8x16 *)((const int8_t *)w + row * row_bytes + i), v16);
    }
    for (size_t row = 0; row < 4; row++)
        out[row] = v16_sum(acc[row]) * scale[row];
}

const low_table LOW_TABLE = {
    .encoding = LOW_ENCODING,
    .words = LOW_WORDS,
    .tile_pixels = LOW_PIXELS,
    .tile_blocks = LOW_BLOCKS,
    .multiply = low_multiply,
    .input = {low_input2, NULL},
    .output = {low_output2, NULL},
    .collect = low_collect,
    .finish = low_finish,
    .round = low_round16,
    .dot4 = low_dot4,
};
