/* Batch normalisation of adjacent pixels of one channel block. Sums run in float over as many pixels as fit the first
   level of the cache and go on in double. */
#include "../vector.h"

#include <stdbool.h>

enum { NORM_RUN = 256, NORM_CHAINS = 4 };

BLAN_INLINE v16 chain_sum(const v16 chains[NORM_CHAINS]) { return (chains[0] + chains[1]) + (chains[2] + chains[3]); }

/* Adds the pixels to the moments: each run by two passes, the second over the cache, then Chan's update. The second
   pass also sums the deviations, which takes the rounding of the first one's mean out of both results. */
static void norm_moments(size_t count, const float *x, blan_k_moments *moments)
{
    for (size_t first = 0; first < count; first += NORM_RUN, x += NORM_RUN * BLAN_BLOCK) {
        const size_t run = count - first < NORM_RUN ? count - first : NORM_RUN;
        v16 sums[NORM_CHAINS] = {0}, deviations[NORM_CHAINS] = {0}, squares[NORM_CHAINS] = {0};
        size_t i = 0;
        for (; i + NORM_CHAINS <= run; i += NORM_CHAINS)
            for (size_t chain = 0; chain < NORM_CHAINS; chain++)
                sums[chain] += v16_load(x + (i + chain) * BLAN_BLOCK);
        for (; i < run; i++)
            sums[0] += v16_load(x + i * BLAN_BLOCK);
        const v16 centre = chain_sum(sums) / v16_splat((float)run);
        for (i = 0; i + NORM_CHAINS <= run; i += NORM_CHAINS)
            for (size_t chain = 0; chain < NORM_CHAINS; chain++) {
                const v16 deviation = v16_load(x + (i + chain) * BLAN_BLOCK) - centre;
                deviations[chain] += deviation;
                squares[chain] += deviation * deviation;
            }
        for (; i < run; i++) {
            const v16 deviation = v16_load(x + i * BLAN_BLOCK) - centre;
            deviations[0] += deviation;
            squares[0] += deviation * deviation;
        }
        const v16 rest = chain_sum(deviations), square = chain_sum(squares);
        const double before = moments->count, size = (double)run, after = before + size;
        for (size_t lane = 0; lane < BLAN_BLOCK; lane++) {
            const double correction = rest[lane] / size;
            const double delta = centre[lane] + correction - moments->mean[lane];
            moments->mean[lane] += delta * (size / after);
            moments->squares[lane] += square[lane] - correction * rest[lane] + delta * delta * (before * size / after);
        }
        moments->count = after;
    }
}

static void norm_forward(size_t count, float *out, const float *x, const float *mean, const float *inverse_std,
                         const float *weight, const float *bias, const float *residual, bool relu)
{
    const v16 centre = v16_load(mean), factor = v16_load(inverse_std) * v16_load(weight), offset = v16_load(bias);
    for (size_t i = 0; i < count * BLAN_BLOCK; i += BLAN_BLOCK) {
        v16 value = (v16_load(x + i) - centre) * factor + offset;
        if (residual != NULL)
            value += v16_load(residual + i);
        v16_store(out + i, relu ? v16_relu_or_nan(value) : value);
    }
}

/* The gradient before the ReLU at float i. */
BLAN_INLINE v16 norm_gradient(const blan_k_norm_pixels *pixels, size_t i)
{
    const v16 gradient = v16_load(pixels->d_out + i);
    return pixels->out == NULL ? gradient
                               : v16_select(v16_load(pixels->out + i) > v16_splat(0), gradient, v16_splat(0));
}

/* The two that follow take a copy of the pointers: no store can then be one to them, so they stay in registers. */

/* sum[16] += sums of g, product[16] += sums of g * xhat. */
static void norm_sums(size_t count, const blan_k_norm_pixels *all, const float *mean, const float *inverse_std,
                      double *sum, double *product)
{
    const blan_k_norm_pixels pixels = *all;
    const v16 centre = v16_load(mean), scale = v16_load(inverse_std);
    for (size_t first = 0; first < count; first += NORM_RUN) {
        const size_t end = (count - first < NORM_RUN ? count : first + NORM_RUN) * BLAN_BLOCK;
        v16 sums[2] = {0}, products[2] = {0};
        size_t i = first * BLAN_BLOCK;
        for (; i + 2 * BLAN_BLOCK <= end; i += 2 * BLAN_BLOCK)
            for (size_t chain = 0; chain < 2; chain++) {
                const v16 g = norm_gradient(&pixels, i + chain * BLAN_BLOCK);
                sums[chain] += g;
                products[chain] += g * (v16_load(pixels.x + i + chain * BLAN_BLOCK) - centre);
            }
        if (i < end) {
            const v16 g = norm_gradient(&pixels, i);
            sums[0] += g;
            products[0] += g * (v16_load(pixels.x + i) - centre);
        }
        const v16 run_sum = sums[0] + sums[1], run_product = (products[0] + products[1]) * scale;
        for (size_t lane = 0; lane < BLAN_BLOCK; lane++) {
            sum[lane] += run_sum[lane];
            product[lane] += run_product[lane];
        }
    }
}

/* d_x = factor * g - offset - slope * (x - mean), without the last two where slope is NULL; d_residual = or += g. */
static void norm_backward(size_t count, const blan_k_norm_pixels *all, const float *mean, const float *factor,
                          const float *offset, const float *slope, bool accumulate_residual)
{
    const blan_k_norm_pixels pixels = *all;
    const v16 scale = v16_load(factor);
    const v16 centre = slope != NULL ? v16_load(mean) : v16_splat(0);
    const v16 constant = slope != NULL ? v16_load(offset) : v16_splat(0);
    const v16 incline = slope != NULL ? v16_load(slope) : v16_splat(0);
    for (size_t i = 0; i < count * BLAN_BLOCK; i += BLAN_BLOCK) {
        const v16 g = norm_gradient(&pixels, i);
        v16 d_x = g * scale;
        if (slope != NULL)
            d_x -= constant + incline * (v16_load(pixels.x + i) - centre);
        if (pixels.d_residual != NULL)
            v16_store(pixels.d_residual + i, accumulate_residual ? v16_load(pixels.d_residual + i) + g : g);
        v16_store(pixels.d_x + i, d_x);
    }
}
