/*
 * Winograd's transforms for 3x3 kernels, F(4x4, 3x3) on 6x6 windows (Lavin and Gray 2016), for one tile of one channel
 * block. Input: B^T d B; output: A^T m A. Each is a pass over rows and one over columns.
 */
#include "lanes.h"

/* One column or row of B^T d, interpolation points 0, ±sqrt(1/2), ±sqrt(2) and infinity: with ±1 and ±2 the rounding error
   of a layer is two to three times as large. */
#define WINOGRAD_P 0.70710678118654752f
#define WINOGRAD_Q 1.41421356237309505f

BLAN_INLINE void winograd4_input_line(vl *restrict out, size_t step, const vl *restrict d, size_t d_step)
{
    const vl d0 = d[0], d1 = d[d_step], d2 = d[2 * d_step], d3 = d[3 * d_step], d4 = d[4 * d_step],
              d5 = d[5 * d_step];
    const vl even = d4 - 2 * d2, odd = WINOGRAD_P * (d3 - 2 * d1);
    const vl even2 = d4 - 0.5f * d2, odd2 = WINOGRAD_Q * (d3 - 0.5f * d1);
    out[0] = d0 - 2.5f * d2 + d4;
    out[step] = even + odd;
    out[2 * step] = even - odd;
    out[3 * step] = even2 + odd2;
    out[4 * step] = even2 - odd2;
    out[5 * step] = d1 - 2.5f * d3 + d5;
}

/* A^T m, with the factors that G leaves out: see winograd4_weight_line. */
#define WINOGRAD_P_FACTOR (-2.0f / 3)
#define WINOGRAD_Q_FACTOR (1.0f / 6)

BLAN_INLINE void winograd4_output_line(vl *restrict out, size_t step, const vl *restrict m, size_t m_step)
{
    const vl m1 = m[m_step], m2 = m[2 * m_step], m3 = m[3 * m_step], m4 = m[4 * m_step];
    const vl sum = m1 + m2, difference = m1 - m2, sum2 = m3 + m4, difference2 = m3 - m4;
    out[0] = m[0] + WINOGRAD_P_FACTOR * sum + WINOGRAD_Q_FACTOR * sum2;
    out[step] = WINOGRAD_P_FACTOR * WINOGRAD_P * difference + WINOGRAD_Q_FACTOR * WINOGRAD_Q * difference2;
    out[2 * step] = 0.5f * WINOGRAD_P_FACTOR * sum + 2 * WINOGRAD_Q_FACTOR * sum2;
    out[3 * step] = 0.5f * WINOGRAD_P_FACTOR * WINOGRAD_P * difference +
                    2 * WINOGRAD_Q_FACTOR * WINOGRAD_Q * difference2 + 2 * m[5 * m_step];
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

/* Rows of B^T d B for F(4x4, 3x3), one of the outer two or a pair of the inner four, straight from the window's pixels:
   a whole window would not fit in registers, and loading a pixel again is cheaper than storing halves. Without
   `restrict`, so that the compiler does not keep pixels from one call to the next. */
BLAN_INLINE void winograd4_store_row(float *v, size_t step, const vl *row)
{
    vl line[6];
    winograd4_input_line(line, 1, row, 1);
#pragma clang loop unroll(full)
    for (size_t x = 0; x < 6; x++)
        vl_store(v + x * step, line[x]);
}

BLAN_INLINE void winograd4_outer_row(float *v, size_t step, const float *in, size_t row_step)
{
    vl row[6];
#pragma clang loop unroll(full)
    for (size_t x = 0; x < 6; x++)
        row[x] = vl_load(in + x * BLAN_BLOCK) - 2.5f * vl_load(in + 2 * row_step + x * BLAN_BLOCK) +
                 vl_load(in + 4 * row_step + x * BLAN_BLOCK);
    winograd4_store_row(v, step, row);
}

BLAN_INLINE void winograd4_inner_rows(float *v, size_t step, const float *in, size_t row_step, float square,
                                      float factor)
{
    vl sum[6], difference[6];
#pragma clang loop unroll(full)
    for (size_t x = 0; x < 6; x++, in += BLAN_BLOCK) {
        const vl even = vl_load(in + 4 * row_step) - square * vl_load(in + 2 * row_step);
        const vl odd = factor * (vl_load(in + 3 * row_step) - square * vl_load(in + row_step));
        sum[x] = even + odd;
        difference[x] = even - odd;
    }
    winograd4_store_row(v, step, sum);
    winograd4_store_row(v + 6 * step, step, difference);
}

/* Where the window's pixels lie: in the map, or copied to `window` when it reaches over an edge or is enlarged. */
BLAN_INLINE const float *winograd_pixels(const size_t n, float *window, const blan_k_winograd_input *input,
                                         size_t *row_step)
{
    const bool inside = input->y >= 0 && input->x >= 0 && (size_t)input->y + n <= input->height &&
                        (size_t)input->x + n <= input->width && input->shift == 0;
    *row_step = (inside ? input->plane_width : n) * BLAN_BLOCK;
    if (inside)
        return input->plane + ((size_t)input->y * input->plane_width + (size_t)input->x) * BLAN_BLOCK;
    winograd_window(n, window, input);
    return window;
}

static void winograd4_input(float *v, size_t step, const blan_k_winograd_input *input)
{
    float window[36 * BLAN_BLOCK] __attribute__((aligned(64)));
    size_t row_step;
    const float *in = winograd_pixels(6, window, input, &row_step);
    for (size_t lane = 0; lane < BLAN_BLOCK; lane += REGISTER_LANES, v += REGISTER_LANES, in += REGISTER_LANES) {
        winograd4_outer_row(v, step, in, row_step);
        winograd4_inner_rows(v + 6 * step, step, in, row_step, 2, WINOGRAD_P);
        winograd4_inner_rows(v + 18 * step, step, in, row_step, 0.5f, WINOGRAD_Q);
        winograd4_outer_row(v + 30 * step, step, in + row_step, row_step);
    }
}

/* Adds what the convolution adds to `columns` outputs of row y of a tile and writes them: lanes from `lane` on. */
BLAN_INLINE void winograd_store_row(const size_t columns, size_t y, const blan_k_winograd_output *output,
                                    size_t lane, const vl *line)
{
    const size_t offset = y * output->row_step + lane;
    const vl bias = output->bias != NULL ? vl_load(output->bias + lane) : vl_zero();
    vl value[4];
#pragma clang loop unroll(full)
    for (size_t x = 0; x < columns; x++)
        value[x] = line[x] + bias;
    if (output->residual != NULL) {
#pragma clang loop unroll(full)
        for (size_t x = 0; x < columns; x++)
            value[x] += vl_load(output->residual + offset + x * BLAN_BLOCK);
    }
    if (output->accumulate) {
#pragma clang loop unroll(full)
        for (size_t x = 0; x < columns; x++)
            value[x] += vl_load(output->out + offset + x * BLAN_BLOCK);
    }
#pragma clang loop unroll(full)
    for (size_t x = 0; x < columns; x++)
        vl_store(output->out + offset + x * BLAN_BLOCK, output->relu ? vl_relu(value[x]) : value[x]);
}

/* The same for a row of a tile that may reach over the map's edge. */
BLAN_INLINE void winograd_store_outputs(size_t y, const blan_k_winograd_output *output, size_t lane, const vl *line)
{
    if (y >= output->rows)
        return;
    if (output->columns >= 4)
        winograd_store_row(4, y, output, lane, line);
    else if (output->columns == 3)
        winograd_store_row(3, y, output, lane, line);
    else if (output->columns == 2)
        winograd_store_row(2, y, output, lane, line);
    else
        winograd_store_row(1, y, output, lane, line);
}

/* Row y of m A. */
BLAN_INLINE void winograd4_product_row(vl *row, const float *m_tile, size_t step, size_t y)
{
    vl products[6];
#pragma clang loop unroll(full)
    for (size_t x = 0; x < 6; x++)
        products[x] = vl_load(m_tile + (6 * y + x) * step);
    winograd4_output_line(row, 1, products, 1);
}

/* The rows are added up as they come: sixteen sums and two rows fit in AVX-512's registers. */
BLAN_INLINE void winograd4_output_lanes(const blan_k_winograd_output *output, size_t lane, const float *m_tile,
                                        size_t step)
{
    vl out[4][4], row[4], other[4];
    winograd4_product_row(row, m_tile, step, 1);
    winograd4_product_row(other, m_tile, step, 2);
#pragma clang loop unroll(full)
    for (size_t x = 0; x < 4; x++) {
        const vl sum = WINOGRAD_P_FACTOR * (row[x] + other[x]), difference = row[x] - other[x];
        out[0][x] = sum;
        out[1][x] = WINOGRAD_P_FACTOR * WINOGRAD_P * difference;
        out[2][x] = 0.5f * sum;
        out[3][x] = 0.5f * WINOGRAD_P_FACTOR * WINOGRAD_P * difference;
    }
    winograd4_product_row(row, m_tile, step, 3);
    winograd4_product_row(other, m_tile, step, 4);
#pragma clang loop unroll(full)
    for (size_t x = 0; x < 4; x++) {
        const vl sum = row[x] + other[x], difference = row[x] - other[x];
        out[0][x] += WINOGRAD_Q_FACTOR * sum;
        out[1][x] += WINOGRAD_Q_FACTOR * WINOGRAD_Q * difference;
        out[2][x] += 2 * WINOGRAD_Q_FACTOR * sum;
        out[3][x] += 2 * WINOGRAD_Q_FACTOR * WINOGRAD_Q * difference;
    }
    winograd4_product_row(row, m_tile, step, 0);
    winograd4_product_row(other, m_tile, step, 5);
#pragma clang loop unroll(full)
    for (size_t x = 0; x < 4; x++) {
        out[0][x] += row[x];
        out[3][x] += 2 * other[x];
    }
#pragma clang loop unroll(full)
    for (size_t y = 0; y < 4; y++)
        winograd_store_outputs(y, output, lane, out[y]);
}

static void winograd4_output(const blan_k_winograd_output *output, const float *m_tile, size_t step)
{
    for (size_t lane = 0; lane < BLAN_BLOCK; lane += REGISTER_LANES)
        winograd4_output_lanes(output, lane, m_tile + lane, step);
}

/* ---- weights ----

   Transformed in double precision and rounded once: every pixel meets the error of a weight. */

/* One column or row of G g, its middle rows without their factors and half of the last, which A^T makes up for: see
   winograd_taps.h for why. */
BLAN_INLINE void winograd4_weight_line(v16d *restrict out, size_t step, const v16d *restrict g, size_t g_step)
{
    const v16d g0 = g[0], g1 = 0.70710678118654752440 * g[g_step], g2 = g[2 * g_step];
    const v16d outer = g0 + 0.5 * g2, outer2 = g0 + 2 * g2, g1_twice = 2 * g1;
    out[0] = g0;
    out[step] = outer + g1;
    out[2 * step] = outer - g1;
    out[3 * step] = outer2 + g1_twice;
    out[4 * step] = outer2 - g1_twice;
    out[5 * step] = 0.5 * g2;
}

/* The taps of the kernels, scaled. */
BLAN_INLINE void winograd_collect(v16d *restrict taps, const blan_k_winograd_kernels *w)
{
    for (size_t tap = 0; tap < 9; tap++)
        taps[tap] = (v16d){0};
    for (size_t lane = 0; lane < w->lanes; lane++)
        for (size_t tap = 0; tap < 9; tap++)
            ((double *)&taps[w->flipped ? 8 - tap : tap])[lane] =
                w->weights[lane * w->lane_step + tap] * (w->scale != NULL ? w->scale[lane] : 1);
}

/* One column or row of G g. */
typedef void winograd_weight_line(v16d *restrict out, size_t step, const v16d *restrict g, size_t g_step);

/* G g G^T, 6 x 6 elements. */
BLAN_INLINE void winograd_weights(winograd_weight_line *weight_line, float *restrict u, size_t step,
                                  const blan_k_winograd_kernels *w)
{
    v16d g[9], half[18];
    winograd_collect(g, w);
#pragma clang loop unroll(full)
    for (size_t x = 0; x < 3; x++)
        weight_line(half + x, 3, g + x, 3);
#pragma clang loop unroll(full)
    for (size_t y = 0; y < 6; y++) {
        v16d line[6];
        weight_line(line, 1, half + y * 3, 1);
#pragma clang loop unroll(full)
        for (size_t x = 0; x < 6; x++)
            v16_store(u + (y * 6 + x) * step, __builtin_convertvector(line[x], v16));
    }
}

static void winograd4_weights(float *u, size_t step, const blan_k_winograd_kernels *weights)
{
    winograd_weights(winograd4_weight_line, u, step, weights);
}

/* ---- gradients ---- */

/* One column or row of G g for kernels of four taps, F(3x3, 4x4) on the same points: the output gradient's side of the
   weight gradient. */
BLAN_INLINE void winograd4_gradient_line(vl *restrict out, size_t step, const vl *restrict g, size_t g_step)
{
    const vl g0 = g[0], g1 = g[g_step], g2 = g[2 * g_step], g3 = g[3 * g_step];
    const vl even = (-2.0f / 3) * (g0 + 0.5f * g2), odd = (-2.0f / 3 * WINOGRAD_P) * (g1 + 0.5f * g3);
    const vl even2 = (1.0f / 6) * (g0 + 2 * g2), odd2 = (1.0f / 6 * WINOGRAD_Q) * (g1 + 2 * g3);
    out[0] = g0;
    out[step] = even + odd;
    out[2 * step] = even - odd;
    out[3 * step] = even2 + odd2;
    out[4 * step] = even2 - odd2;
    out[5 * step] = g3;
}

BLAN_INLINE void winograd4_gradient_lanes(float *restrict v, size_t step, const float *restrict gradient,
                                          size_t row_step, size_t rows, size_t columns)
{
    vl window[16], half[24];
#pragma clang loop unroll(full)
    for (size_t y = 0; y < 4; y++)
#pragma clang loop unroll(full)
        for (size_t x = 0; x < 4; x++)
            window[y * 4 + x] = y < rows && x < columns ? vl_load(gradient + y * row_step + x * BLAN_BLOCK)
                                                        : vl_zero();
#pragma clang loop unroll(full)
    for (size_t x = 0; x < 4; x++)
        winograd4_gradient_line(half + x, 4, window + x, 4);
#pragma clang loop unroll(full)
    for (size_t y = 0; y < 6; y++) {
        vl line[6];
        winograd4_gradient_line(line, 1, half + y * 4, 1);
#pragma clang loop unroll(full)
        for (size_t x = 0; x < 6; x++)
            vl_store(v + (y * 6 + x) * step, line[x]);
    }
}

/* v[e * step]: a 4x4 tile of the output gradient, of which `rows` x `columns` lie inside the map, transformed. */
static void winograd4_gradient(float *v, size_t step, const float *gradient, size_t row_step, size_t rows,
                               size_t columns)
{
    for (size_t lane = 0; lane < BLAN_BLOCK; lane += REGISTER_LANES)
        winograd4_gradient_lanes(v + lane, step, gradient + lane, row_step, rows, columns);
}

/* One column or row of A^T m for three outputs. */
BLAN_INLINE void winograd3_output_line(vl *restrict out, size_t step, const vl *restrict m, size_t m_step)
{
    const vl m1 = m[m_step], m2 = m[2 * m_step], m3 = m[3 * m_step], m4 = m[4 * m_step];
    out[0] = m[0] + (m1 + m2) + (m3 + m4);
    out[step] = WINOGRAD_P * (m1 - m2) + WINOGRAD_Q * (m3 - m4);
    out[2 * step] = 0.5f * (m1 + m2) + 2 * (m3 + m4) + m[5 * m_step];
}

/* Row y of m A. */
BLAN_INLINE void winograd3_product_row(vl *row, const float *m, size_t step, size_t y)
{
    vl products[6];
#pragma clang loop unroll(full)
    for (size_t x = 0; x < 6; x++)
        products[x] = vl_load(m + (6 * y + x) * step);
    winograd3_output_line(row, 1, products, 1);
}

BLAN_INLINE void winograd3_output_lanes(float *restrict out, size_t row_step, const float *restrict m, size_t step)
{
    vl sums[3][3], row[3], other[3];
    winograd3_product_row(row, m, step, 1);
    winograd3_product_row(other, m, step, 2);
#pragma clang loop unroll(full)
    for (size_t x = 0; x < 3; x++) {
        sums[0][x] = row[x] + other[x];
        sums[1][x] = WINOGRAD_P * (row[x] - other[x]);
        sums[2][x] = 0.5f * sums[0][x];
    }
    winograd3_product_row(row, m, step, 3);
    winograd3_product_row(other, m, step, 4);
#pragma clang loop unroll(full)
    for (size_t x = 0; x < 3; x++) {
        const vl sum = row[x] + other[x];
        sums[0][x] += sum;
        sums[1][x] += WINOGRAD_Q * (row[x] - other[x]);
        sums[2][x] += 2 * sum;
    }
    winograd3_product_row(row, m, step, 0);
    winograd3_product_row(other, m, step, 5);
#pragma clang loop unroll(full)
    for (size_t x = 0; x < 3; x++) {
        vl_store(out + x * BLAN_BLOCK, sums[0][x] + row[x]);
        vl_store(out + row_step + x * BLAN_BLOCK, sums[1][x]);
        vl_store(out + 2 * row_step + x * BLAN_BLOCK, sums[2][x] + other[x]);
    }
}

/* The 3x3 results of F(3x3, 4x4), rows `row_step` apart, that the products m[e * step] stand for: the taps of a weight
   gradient, or outputs of the stem. */
static void winograd3_output(float *out, size_t row_step, const float *m, size_t step)
{
    for (size_t lane = 0; lane < BLAN_BLOCK; lane += REGISTER_LANES)
        winograd3_output_lanes(out + lane, row_step, m + lane, step);
}
