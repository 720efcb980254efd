/*
 * Tile functions of bfloat16. Before: what low_multiply.h wants; LOW_TABLE; low_store(out, a, b, c, d), which rounds
 * sixteen floats of each of four pixels to nearest, ties to even, and writes them as a run; low_store16(out, a), which
 * writes sixteen one after another.
 */
#include "low_multiply.h"

BLAN_INLINE void low2_input_line(v16 *restrict out, size_t step, const v16 *restrict d)
{
    out[0] = d[0] - d[2];
    out[step] = d[1] + d[2];
    out[2 * step] = d[2] - d[1];
    out[3 * step] = d[1] - d[3];
}

BLAN_INLINE void low2_output_line(v16 *restrict out, size_t step, const v16 *restrict m)
{
    out[0] = m[0] + m[1] + m[2];
    out[step] = m[1] - m[2] - m[3];
}

/* The points of tiles/winograd.h. */
#define LOW_P 0.70710678118654752f
#define LOW_Q 1.41421356237309505f

BLAN_INLINE void low4_input_line(v16 *restrict out, size_t step, const v16 *restrict d)
{
    const v16 even = d[4] - 2 * d[2], odd = LOW_P * (d[3] - 2 * d[1]);
    const v16 even2 = d[4] - 0.5f * d[2], odd2 = LOW_Q * (d[3] - 0.5f * d[1]);
    out[0] = d[0] - 2.5f * d[2] + d[4];
    out[step] = even + odd;
    out[2 * step] = even - odd;
    out[3 * step] = even2 + odd2;
    out[4 * step] = even2 - odd2;
    out[5 * step] = d[1] - 2.5f * d[3] + d[5];
}

BLAN_INLINE void low4_output_line(v16 *restrict out, size_t step, const v16 *restrict m)
{
    const v16 sum = m[1] + m[2], difference = m[1] - m[2], sum2 = m[3] + m[4], difference2 = m[3] - m[4];
    out[0] = m[0] + sum + sum2;
    out[step] = LOW_P * difference + LOW_Q * difference2;
    out[2 * step] = 0.5f * sum + 2 * sum2;
    out[3 * step] = 0.5f * LOW_P * difference + 2 * LOW_Q * difference2 + m[5];
}

/* m = 2 or 4. */
BLAN_INLINE void low_input(const size_t m, uint32_t *restrict v, size_t step, const low_windows *windows)
{
    const size_t n = m + 2, columns = 3 * m + n;
    float copy[LOW_MOST_PATCH * BLAN_BLOCK] __attribute__((aligned(64)));
    v16 half[LOW_MOST_PATCH];
    const low_patch patch = low_patch_of(windows, n, columns, copy);
    for (size_t x = 0; x < columns; x++) {
        v16 column[6];
#pragma clang loop unroll(full)
        for (size_t y = 0; y < n; y++)
            column[y] = v16_load(patch.pixels + y * patch.row_step + x * BLAN_BLOCK);
        if (m == 2)
            low2_input_line(half + x, columns, column);
        else
            low4_input_line(half + x, columns, column);
    }
    for (size_t y = 0; y < n; y++) {
        v16 line[4][6];
#pragma clang loop unroll(full)
        for (size_t tile = 0; tile < LOW_RUN; tile++) {
            if (m == 2)
                low2_input_line(line[tile], 1, half + y * columns + tile * m);
            else
                low4_input_line(line[tile], 1, half + y * columns + tile * m);
        }
#pragma clang loop unroll(full)
        for (size_t x = 0; x < n; x++)
            low_store(v + (y * n + x) * step, line[0][x], line[1][x], line[2][x], line[3][x]);
    }
}

BLAN_INLINE void low_back(const size_t m, const low_output *output, const float *restrict products, size_t step)
{
    const size_t n = m + 2;
    v16 half[24];
#pragma clang loop unroll(full)
    for (size_t x = 0; x < n; x++) {
        v16 column[6];
#pragma clang loop unroll(full)
        for (size_t y = 0; y < n; y++)
            column[y] = v16_load(products + (y * n + x) * step);
        if (m == 2)
            low2_output_line(half + x, n, column);
        else
            low4_output_line(half + x, n, column);
    }
    const v16 bias = low_bias(output);
#pragma clang loop unroll(full)
    for (size_t y = 0; y < m; y++) {
        if (y >= output->rows)
            break;
        v16 line[4];
        if (m == 2)
            low2_output_line(line, 1, half + y * n);
        else
            low4_output_line(line, 1, half + y * n);
#pragma clang loop unroll(full)
        for (size_t x = 0; x < m; x++)
            if (x < output->columns)
                low_write(output, y * output->row_step + x * BLAN_BLOCK, line[x], bias);
    }
}

static void low_input2(uint32_t *v, size_t step, const low_windows *windows) { low_input(2, v, step, windows); }
static void low_input4(uint32_t *v, size_t step, const low_windows *windows) { low_input(4, v, step, windows); }

static void low_output2(const low_output *output, const float *products, size_t step)
{
    low_back(2, output, products, step);
}

static void low_output4(const low_output *output, const float *products, size_t step)
{
    low_back(4, output, products, step);
}

static void low_collect(size_t blocks, uint32_t *restrict out, size_t block_step, const float *const pixels[LOW_RUN],
                        size_t in_block_step, const float *scale)
{
    (void)scale;
    for (size_t block = 0; block < blocks; block++, out += block_step) {
        v16 x[LOW_RUN];
#pragma clang loop unroll(full)
        for (size_t p = 0; p < LOW_RUN; p++)
            x[p] = pixels[p] != NULL ? v16_load(pixels[p] + block * in_block_step) : v16_splat(0);
        low_store(out, x[0], x[1], x[2], x[3]);
    }
}

static void low_finish(size_t pixels, const low_output *output, const size_t *places, const float *restrict products)
{
    const v16 bias = low_bias(output);
    for (size_t p = 0; p < pixels; p++)
        low_write(output, places[p], v16_load(products + p * BLAN_BLOCK), bias);
}

static void low_round16(void *out, const float *pixels, float scale)
{
    (void)scale;
    low_store16(out, v16_load_any(pixels));
}

static void low_dot4(size_t count, float *restrict out, const float *restrict x, const void *w, size_t row_bytes,
                     const float *scale)
{
    (void)scale;
    v16 acc[4] = {0};
    for (size_t i = 0; i < count; i += BLAN_BLOCK) {
        const v16 value = v16_load(x + i);
#pragma clang loop unroll(full)
        for (size_t row = 0; row < 4; row++) {
            const u16x16 bits = *(const u16x16 *)((const char *)w + row * row_bytes + i * 2);
            acc[row] += value * (v16)(__builtin_convertvector(bits, v16u) << 16);
        }
    }
    for (size_t row = 0; row < 4; row++)
        out[row] = v16_sum(acc[row]);
}

const low_table LOW_TABLE = {
    .encoding = LOW_ENCODING_BF16,
    .words = LOW_WORDS,
    .tile_pixels = LOW_PIXELS,
    .tile_blocks = LOW_BLOCKS,
    .multiply = low_multiply,
    .input = {low_input2, low_input4},
    .output = {low_output2, low_output4},
    .collect = low_collect,
    .finish = low_finish,
    .round = low_round16,
    .dot4 = low_dot4,
};
