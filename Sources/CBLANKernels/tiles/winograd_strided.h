/*
 * Winograd's transforms for 3x3 kernels of stride 2. Along one axis, outputs collect from odd pixels by the two outer
 * taps, a convolution of stride 1 that runs as F(4, 2) on the points 0, -1, 1/2, 2 and infinity, and from even pixels by
 * the middle tap alone, which needs no transform. So a window of 9 pixels has five transformed elements and four pixels
 * as they are, 9 for four outputs instead of 12 products; over both axes 81 for 144.
 *
 * All pixels meet the same middle tap: of 9 x 9 elements' weights 6 x 6 differ, which is as much memory as F(4x4, 3x3)'s.
 */
#include "lanes.h"

enum { STRIDED_WINDOW = 9, STRIDED_POINTS = 5 };

/* Element `e` of B^T d for five pixels. */
BLAN_INLINE vl strided_input_element(const size_t e, vl d0, vl d1, vl d2, vl d3, vl d4)
{
    switch (e) {
    case 0: return d0 - 1.5f * (d1 + d2) + d3;
    case 1: return d1 - 2.5f * d2 + d3;
    case 2: return d3 - d2 - 2 * d1;
    case 3: return d3 + 0.5f * (d2 - d1);
    default: return d1 - 1.5f * (d2 + d3) + d4;
    }
}

/* One row of the window's elements from its nine pixels. */
BLAN_INLINE void strided_input_row(float *v, size_t step, const vl *row)
{
#pragma clang loop unroll(full)
    for (size_t x = 0; x < STRIDED_POINTS; x++)
        vl_store(v + x * step, strided_input_element(x, row[0], row[2], row[4], row[6], row[8]));
#pragma clang loop unroll(full)
    for (size_t x = 0; x < 4; x++)
        vl_store(v + (STRIDED_POINTS + x) * step, row[2 * x + 1]);
}

/* The elements of row `y` of the five that are transformed down the columns. */
BLAN_INLINE void strided_input_elements(const size_t y, float *v, size_t step, const float *in, size_t row_step)
{
    vl row[STRIDED_WINDOW];
#pragma clang loop unroll(full)
    for (size_t x = 0; x < STRIDED_WINDOW; x++, in += BLAN_BLOCK)
        row[x] = strided_input_element(y, vl_load(in), vl_load(in + 2 * row_step), vl_load(in + 4 * row_step),
                                       vl_load(in + 6 * row_step), vl_load(in + 8 * row_step));
    strided_input_row(v + y * STRIDED_WINDOW * step, step, row);
}

static void strided_input(float *v, size_t step, const blan_k_winograd_input *input)
{
    float window[STRIDED_WINDOW * STRIDED_WINDOW * BLAN_BLOCK] __attribute__((aligned(64)));
    size_t row_step;
    const float *in = winograd_pixels(STRIDED_WINDOW, window, input, &row_step);
    for (size_t lane = 0; lane < BLAN_BLOCK; lane += REGISTER_LANES, v += REGISTER_LANES, in += REGISTER_LANES) {
        strided_input_elements(0, v, step, in, row_step);
        strided_input_elements(1, v, step, in, row_step);
        strided_input_elements(2, v, step, in, row_step);
        strided_input_elements(3, v, step, in, row_step);
        strided_input_elements(4, v, step, in, row_step);
        for (size_t y = STRIDED_POINTS; y < STRIDED_WINDOW; y++) {
            vl row[STRIDED_WINDOW];
#pragma clang loop unroll(full)
            for (size_t x = 0; x < STRIDED_WINDOW; x++)
                row[x] = vl_load(in + (2 * (y - STRIDED_POINTS) + 1) * row_step + x * BLAN_BLOCK);
            strided_input_row(v + y * STRIDED_WINDOW * step, step, row);
        }
    }
}

/* The four outputs of a row of products. */
BLAN_INLINE void strided_product_row(vl *row, const float *m, size_t step)
{
    const vl m0 = vl_load(m), m1 = vl_load(m + step), m2 = vl_load(m + 2 * step), m3 = vl_load(m + 3 * step),
             m4 = vl_load(m + 4 * step);
    row[0] = m0 + m1 + m2 + m3 + vl_load(m + 5 * step);
    row[1] = 0.5f * m2 + 2 * m3 - m1 + vl_load(m + 6 * step);
    row[2] = m1 + 0.25f * m2 + 4 * m3 + vl_load(m + 7 * step);
    row[3] = 0.125f * m2 + 8 * m3 - m1 + m4 + vl_load(m + 8 * step);
}

BLAN_INLINE void strided_output_lanes(const blan_k_winograd_output *output, size_t lane, const float *m_tile,
                                      size_t step)
{
    static const float factors[3][4] = {{1, -1, 1, -1}, {1, 0.5f, 0.25f, 0.125f}, {1, 2, 4, 8}};
    const size_t row_step = STRIDED_WINDOW * step;
    vl out[4][4], row[4];
#pragma clang loop unroll(full)
    for (size_t y = 0; y < 4; y++)
        strided_product_row(out[y], m_tile + (STRIDED_POINTS + y) * row_step, step);
    strided_product_row(row, m_tile, step);
#pragma clang loop unroll(full)
    for (size_t x = 0; x < 4; x++)
        out[0][x] += row[x];
#pragma clang loop unroll(full)
    for (size_t point = 0; point < 3; point++) {
        strided_product_row(row, m_tile + (1 + point) * row_step, step);
#pragma clang loop unroll(full)
        for (size_t y = 0; y < 4; y++)
#pragma clang loop unroll(full)
            for (size_t x = 0; x < 4; x++)
                out[y][x] += factors[point][y] * row[x];
    }
    strided_product_row(row, m_tile + 4 * row_step, step);
#pragma clang loop unroll(full)
    for (size_t x = 0; x < 4; x++)
        out[3][x] += row[x];
#pragma clang loop unroll(full)
    for (size_t y = 0; y < 4; y++)
        winograd_store_outputs(y, output, lane, out[y]);
}

static void strided_output(const blan_k_winograd_output *output, const float *m_tile, size_t step)
{
    for (size_t lane = 0; lane < BLAN_BLOCK; lane += REGISTER_LANES)
        strided_output_lanes(output, lane, m_tile + lane, step);
}

/* G g of one column or row: five points of the outer taps, and the middle one. */
BLAN_INLINE void strided_weight_line(v16d *restrict out, size_t step, const v16d *restrict g, size_t g_step)
{
    const v16d g0 = g[0], g2 = g[2 * g_step];
    out[0] = g0;
    out[step] = (g0 - g2) / -4.5;
    out[2 * step] = (g0 + 0.5 * g2) / -1.125;
    out[3 * step] = (g0 + 2 * g2) / 9;
    out[4 * step] = g2;
    out[5 * step] = g[g_step];
}

/* u[6 * y + x]: the weights of row y and column x of the elements, of which those from 5 on share the middle tap. */
static void strided_weights(float *u, size_t step, const blan_k_winograd_kernels *weights)
{
    winograd_weights(strided_weight_line, u, step, weights);
}
