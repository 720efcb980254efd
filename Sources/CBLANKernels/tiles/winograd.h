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

/* The same for F(4x4, 3x3), interpolation points 0, ±1, ±2. */
BLAN_INLINE void winograd4_input_line(v16 *restrict out, size_t step, const v16 *restrict d, size_t d_step)
{
    const v16 d0 = d[0], d1 = d[d_step], d2 = d[2 * d_step], d3 = d[3 * d_step], d4 = d[4 * d_step],
              d5 = d[5 * d_step];
    const v16 even = d4 - 4 * d2, odd = d3 - 4 * d1;
    const v16 even2 = d4 - d2, odd2 = 2 * (d3 - d1);
    out[0] = 4 * d0 - 5 * d2 + d4;
    out[step] = even + odd;
    out[2 * step] = even - odd;
    out[3 * step] = even2 + odd2;
    out[4 * step] = even2 - odd2;
    out[5 * step] = 4 * d1 - 5 * d3 + d5;
}

BLAN_INLINE void winograd4_output_line(v16 *restrict out, size_t step, const v16 *restrict m, size_t m_step)
{
    const v16 m1 = m[m_step], m2 = m[2 * m_step], m3 = m[3 * m_step], m4 = m[4 * m_step];
    const v16 sum = m1 + m2, difference = m1 - m2, sum2 = m3 + m4, difference2 = m3 - m4;
    out[0] = m[0] + sum + sum2;
    out[step] = difference + 2 * difference2;
    out[2 * step] = sum + 4 * sum2;
    out[3 * step] = difference + 8 * difference2 + m[5 * m_step];
}

/* Loads an n x n window, zeros where it reaches over the edge. */
BLAN_INLINE void winograd_window(const size_t n, v16 *restrict window, const blan_k_winograd_input *input)
{
    const ptrdiff_t y0 = input->y, x0 = input->x;
    const ptrdiff_t height = (ptrdiff_t)input->height, width = (ptrdiff_t)input->width;
    const bool inside = y0 >= 0 && x0 >= 0 && y0 + (ptrdiff_t)n <= height && x0 + (ptrdiff_t)n <= width;
    if (inside && input->shift == 0) {
        const float *in = input->plane + ((size_t)y0 * input->plane_width + (size_t)x0) * BLAN_BLOCK;
        for (size_t y = 0; y < n; y++, in += input->plane_width * BLAN_BLOCK)
#pragma clang loop unroll(full)
            for (size_t x = 0; x < n; x++)
                window[y * n + x] = v16_load(in + x * BLAN_BLOCK);
        return;
    }
    for (size_t y = 0; y < n; y++) {
        const ptrdiff_t row = y0 + (ptrdiff_t)y;
        for (size_t x = 0; x < n; x++) {
            const ptrdiff_t column = x0 + (ptrdiff_t)x;
            if (row < 0 || row >= height || column < 0 || column >= width)
                window[y * n + x] = v16_splat(0);
            else
                window[y * n + x] = v16_load(input->plane + (((size_t)row >> input->shift) * input->plane_width +
                                                             ((size_t)column >> input->shift)) * BLAN_BLOCK);
        }
    }
}

/* n = 4 or 6. */
BLAN_INLINE void winograd_input(const size_t n, float *restrict v, size_t step, const blan_k_winograd_input *input)
{
    v16 window[36], half[36];
    winograd_window(n, window, input);
#pragma clang loop unroll(full)
    for (size_t x = 0; x < n; x++) {
        if (n == 4)
            winograd2_input_line(half + x, n, window + x, n);
        else
            winograd4_input_line(half + x, n, window + x, n);
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
