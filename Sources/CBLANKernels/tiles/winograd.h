/*
 * Winograd's transforms for 3x3 kernels: F(2x2, 3x3) on 4x4 windows and F(4x4, 3x3) on 6x6 windows (Lavin and Gray
 * 2016), for one tile of one channel block. Input: B^T d B; output: A^T m A. Each is a pass over rows and one over
 * columns, on a window kept on the stack.
 */
#include "../vector.h"

/* One column or row of B^T d for F(2x2, 3x3). */
BLAN_INLINE void winograd2_input_line(v16 *restrict out, size_t step, const v16 *restrict d, size_t d_step)
{
    const v16 d0 = d[0], d1 = d[d_step], d2 = d[2 * d_step], d3 = d[3 * d_step];
    out[0] = d0 - d2;
    out[step] = d1 + d2;
    out[2 * step] = d2 - d1;
    out[3 * step] = d1 - d3;
}

BLAN_INLINE void winograd2_output_line(v16 *restrict out, size_t step, const v16 *restrict m, size_t m_step)
{
    const v16 m1 = m[m_step], m2 = m[2 * m_step];
    out[0] = m[0] + m1 + m2;
    out[step] = m1 - m2 - m[3 * m_step];
}

/* The same for F(4x4, 3x3), interpolation points 0, ±sqrt(1/2), ±sqrt(2) and infinity: with ±1 and ±2 the rounding error
   of a layer is two to three times as large. */
#define WINOGRAD_P 0.70710678118654752f
#define WINOGRAD_Q 1.41421356237309505f

BLAN_INLINE void winograd4_input_line(v16 *restrict out, size_t step, const v16 *restrict d, size_t d_step)
{
    const v16 d0 = d[0], d1 = d[d_step], d2 = d[2 * d_step], d3 = d[3 * d_step], d4 = d[4 * d_step],
              d5 = d[5 * d_step];
    const v16 even = d4 - 2 * d2, odd = WINOGRAD_P * (d3 - 2 * d1);
    const v16 even2 = d4 - 0.5f * d2, odd2 = WINOGRAD_Q * (d3 - 0.5f * d1);
    out[0] = d0 - 2.5f * d2 + d4;
    out[step] = even + odd;
    out[2 * step] = even - odd;
    out[3 * step] = even2 + odd2;
    out[4 * step] = even2 - odd2;
    out[5 * step] = d1 - 2.5f * d3 + d5;
}

BLAN_INLINE void winograd4_output_line(v16 *restrict out, size_t step, const v16 *restrict m, size_t m_step)
{
    const v16 m1 = m[m_step], m2 = m[2 * m_step], m3 = m[3 * m_step], m4 = m[4 * m_step];
    const v16 sum = m1 + m2, difference = m1 - m2, sum2 = m3 + m4, difference2 = m3 - m4;
    out[0] = m[0] + sum + sum2;
    out[step] = WINOGRAD_P * difference + WINOGRAD_Q * difference2;
    out[2 * step] = 0.5f * sum + 2 * sum2;
    out[3 * step] = 0.5f * WINOGRAD_P * difference + 2 * WINOGRAD_Q * difference2 + m[5 * m_step];
}

/* Copies an n x n window that reaches over an edge of the map, or lies in one that is enlarged; zeros outside. */
BLAN_INLINE void winograd_window(const size_t n, float *restrict window, const blan_k_winograd_input *input)
{
    for (size_t y = 0; y < n; y++, window += n * BLAN_BLOCK) {
        const size_t row = (size_t)input->y + y; /* above the map: wraps round to a huge number */
        const bool met = row < input->height;
        const float *in = input->plane + (met ? (row >> input->shift) * input->plane_width * BLAN_BLOCK : 0);
#pragma clang loop unroll(full)
        for (size_t x = 0; x < n; x++) {
            const size_t column = (size_t)input->x + x;
            v16_store(window + x * BLAN_BLOCK,
                      met && column < input->width ? v16_load(in + (column >> input->shift) * BLAN_BLOCK)
                                                   : v16_splat(0));
        }
    }
}

/* n = 4 or 6. */
BLAN_INLINE void winograd_input(const size_t n, float *restrict v, size_t step, const blan_k_winograd_input *input)
{
    float window[36 * BLAN_BLOCK] __attribute__((aligned(64)));
    v16 half[36];
    const bool inside = input->y >= 0 && input->x >= 0 && (size_t)input->y + n <= input->height &&
                        (size_t)input->x + n <= input->width && input->shift == 0;
    const float *in = window;
    size_t row_step = n * BLAN_BLOCK;
    if (inside) {
        in = input->plane + ((size_t)input->y * input->plane_width + (size_t)input->x) * BLAN_BLOCK;
        row_step = input->plane_width * BLAN_BLOCK;
    } else {
        winograd_window(n, window, input);
    }
#pragma clang loop unroll(full)
    for (size_t x = 0; x < n; x++) {
        v16 column[6];
#pragma clang loop unroll(full)
        for (size_t y = 0; y < n; y++)
            column[y] = v16_load(in + y * row_step + x * BLAN_BLOCK);
        if (n == 4)
            winograd2_input_line(half + x, n, column, 1);
        else
            winograd4_input_line(half + x, n, column, 1);
    }
#pragma clang loop unroll(full)
    for (size_t y = 0; y < n; y++) {
        v16 line[6];
        if (n == 4)
            winograd2_input_line(line, 1, half + y * n, 1);
        else
            winograd4_input_line(line, 1, half + y * n, 1);
#pragma clang loop unroll(full)
        for (size_t x = 0; x < n; x++)
            v16_store(v + (y * n + x) * step, line[x]);
    }
}

BLAN_INLINE void winograd_output(const size_t n, const blan_k_winograd_output *output, const float *restrict m_tile,
                                 size_t step)
{
    const size_t m = n - 2;
    v16 half[24];
#pragma clang loop unroll(full)
    for (size_t x = 0; x < n; x++) {
        v16 column[6];
#pragma clang loop unroll(full)
        for (size_t y = 0; y < n; y++)
            column[y] = v16_load(m_tile + (y * n + x) * step);
        if (n == 4)
            winograd2_output_line(half + x, n, column, 1);
        else
            winograd4_output_line(half + x, n, column, 1);
    }
    const v16 bias = output->bias != NULL ? v16_load(output->bias) : v16_splat(0);
#pragma clang loop unroll(full)
    for (size_t y = 0; y < m; y++) {
        if (y >= output->rows)
            break;
        v16 line[4];
        if (n == 4)
            winograd2_output_line(line, 1, half + y * n, 1);
        else
            winograd4_output_line(line, 1, half + y * n, 1);
#pragma clang loop unroll(full)
        for (size_t x = 0; x < m; x++) {
            if (x >= output->columns)
                break;
            const size_t offset = y * output->row_step + x * BLAN_BLOCK;
            v16 value = line[x] + bias;
            if (output->residual != NULL)
                value += v16_load(output->residual + offset);
            if (output->accumulate)
                value += v16_load(output->out + offset);
            v16_store(output->out + offset, output->relu ? v16_relu(value) : value);
        }
    }
}

/* One column or row of G g. */
BLAN_INLINE void winograd2_weight_line(v16 *restrict out, size_t step, const v16 *restrict g, size_t g_step)
{
    const v16 g1 = 0.5f * g[g_step], outer = 0.5f * (g[0] + g[2 * g_step]);
    out[0] = g[0];
    out[step] = outer + g1;
    out[2 * step] = outer - g1;
    out[3 * step] = g[2 * g_step];
}

BLAN_INLINE void winograd4_weight_line(v16 *restrict out, size_t step, const v16 *restrict g, size_t g_step)
{
    const v16 g0 = g[0], g1 = g[g_step], g2 = g[2 * g_step];
    const v16 outer = (-2.0f / 3) * (g0 + 0.5f * g2), middle = (-2.0f / 3 * WINOGRAD_P) * g1;
    const v16 outer2 = (1.0f / 6) * (g0 + 2 * g2), middle2 = (1.0f / 6 * WINOGRAD_Q) * g1;
    out[0] = g0;
    out[step] = outer + middle;
    out[2 * step] = outer - middle;
    out[3 * step] = outer2 + middle2;
    out[4 * step] = outer2 - middle2;
    out[5 * step] = g2;
}

BLAN_INLINE void winograd_weights(const size_t n, float *restrict u, size_t step, const blan_k_winograd_kernels *w)
{
    float taps[9 * BLAN_BLOCK] __attribute__((aligned(64)));
    for (size_t lane = 0; lane < BLAN_BLOCK; lane++)
        for (size_t tap = 0; tap < 9; tap++)
            taps[(w->flipped ? 8 - tap : tap) * BLAN_BLOCK + lane] =
                lane < w->lanes ? w->weights[lane * w->lane_step + tap] : 0;
    v16 g[9], half[18], scale = v16_splat(1);
    for (size_t lane = 0; lane < w->lanes && w->scale != NULL; lane++)
        scale[lane] = w->scale[lane];
#pragma clang loop unroll(full)
    for (size_t tap = 0; tap < 9; tap++)
        g[tap] = v16_load(taps + tap * BLAN_BLOCK) * scale;
#pragma clang loop unroll(full)
    for (size_t x = 0; x < 3; x++) {
        if (n == 4)
            winograd2_weight_line(half + x, 3, g + x, 3);
        else
            winograd4_weight_line(half + x, 3, g + x, 3);
    }
#pragma clang loop unroll(full)
    for (size_t y = 0; y < n; y++) {
        v16 line[6];
        if (n == 4)
            winograd2_weight_line(line, 1, half + y * 3, 1);
        else
            winograd4_weight_line(line, 1, half + y * 3, 1);
#pragma clang loop unroll(full)
        for (size_t x = 0; x < n; x++)
            v16_store(u + (y * n + x) * step, line[x]);
    }
}

static void winograd2_weights(float *u, size_t step, const blan_k_winograd_kernels *weights)
{
    winograd_weights(4, u, step, weights);
}

static void winograd4_weights(float *u, size_t step, const blan_k_winograd_kernels *weights)
{
    winograd_weights(6, u, step, weights);
}

/* One column or row of G g for kernels of four taps, F(3x3, 4x4) on the same points: the output gradient's side of the
   weight gradient. */
BLAN_INLINE void winograd4_gradient_line(v16 *restrict out, size_t step, const v16 *restrict g, size_t g_step)
{
    const v16 g0 = g[0], g1 = g[g_step], g2 = g[2 * g_step], g3 = g[3 * g_step];
    const v16 even = (-2.0f / 3) * (g0 + 0.5f * g2), odd = (-2.0f / 3 * WINOGRAD_P) * (g1 + 0.5f * g3);
    const v16 even2 = (1.0f / 6) * (g0 + 2 * g2), odd2 = (1.0f / 6 * WINOGRAD_Q) * (g1 + 2 * g3);
    out[0] = g0;
    out[step] = even + odd;
    out[2 * step] = even - odd;
    out[3 * step] = even2 + odd2;
    out[4 * step] = even2 - odd2;
    out[5 * step] = g3;
}

/* v[e * step]: a 4x4 tile of the output gradient, of which `rows` x `columns` lie inside the map, transformed. */
static void winograd4_gradient(float *restrict v, size_t step, const float *restrict gradient, size_t row_step,
                               size_t rows, size_t columns)
{
    v16 window[16], half[24];
#pragma clang loop unroll(full)
    for (size_t y = 0; y < 4; y++)
#pragma clang loop unroll(full)
        for (size_t x = 0; x < 4; x++)
            window[y * 4 + x] = y < rows && x < columns ? v16_load(gradient + y * row_step + x * BLAN_BLOCK)
                                                        : v16_splat(0);
#pragma clang loop unroll(full)
    for (size_t x = 0; x < 4; x++)
        winograd4_gradient_line(half + x, 4, window + x, 4);
#pragma clang loop unroll(full)
    for (size_t y = 0; y < 6; y++) {
        v16 line[6];
        winograd4_gradient_line(line, 1, half + y * 4, 1);
#pragma clang loop unroll(full)
        for (size_t x = 0; x < 6; x++)
            v16_store(v + (y * 6 + x) * step, line[x]);
    }
}

/* One column or row of A^T m for three outputs. */
BLAN_INLINE void winograd4_taps_line(v16 *restrict out, size_t step, const v16 *restrict m, size_t m_step)
{
    const v16 m1 = m[m_step], m2 = m[2 * m_step], m3 = m[3 * m_step], m4 = m[4 * m_step];
    out[0] = m[0] + (m1 + m2) + (m3 + m4);
    out[step] = WINOGRAD_P * (m1 - m2) + WINOGRAD_Q * (m3 - m4);
    out[2 * step] = 0.5f * (m1 + m2) + 2 * (m3 + m4) + m[5 * m_step];
}

/* taps[9][16]: the weight gradient that the products m[e * step] stand for, summed over chunks. */
static void winograd4_taps(float *restrict taps, const float *restrict m, size_t step, size_t chunks,
                           size_t chunk_step)
{
    v16 half[18];
#pragma clang loop unroll(full)
    for (size_t x = 0; x < 6; x++) {
        v16 column[6];
        for (size_t y = 0; y < 6; y++) {
            column[y] = v16_load(m + (y * 6 + x) * step);
            for (size_t chunk = 1; chunk < chunks; chunk++)
                column[y] += v16_load(m + chunk * chunk_step + (y * 6 + x) * step);
        }
        winograd4_taps_line(half + x, 6, column, 1);
    }
#pragma clang loop unroll(full)
    for (size_t y = 0; y < 3; y++) {
        v16 line[3];
        winograd4_taps_line(line, 1, half + y * 6, 1);
#pragma clang loop unroll(full)
        for (size_t x = 0; x < 3; x++)
            v16_store(taps + (y * 3 + x) * BLAN_BLOCK, line[x]);
    }
}

static void winograd2_input(float *v, size_t step, const blan_k_winograd_input *input)
{
    winograd_input(4, v, step, input);
}

static void winograd4_input(float *v, size_t step, const blan_k_winograd_input *input)
{
    winograd_input(6, v, step, input);
}

static void winograd2_output(const blan_k_winograd_output *output, const float *m_tile, size_t step)
{
    winograd_output(4, output, m_tile, step);
}

static void winograd4_output(const blan_k_winograd_output *output, const float *m_tile, size_t step)
{
    winograd_output(6, output, m_tile, step);
}
