/*
 * Batch normalisation in training on blocked maps, with the sum of a residual block and the ReLU that may follow it.
 *
 * Per-channel arrays have channels rounded up to 16 floats; their padding, and the padding channels of every map that
 * is written, hold zero. Sums run in an order fixed by the shape, so results do not depend on the number of threads.
 */
#ifndef BLAN_BATCH_NORM_H
#define BLAN_BATCH_NORM_H

#include <stdbool.h>
#include <stddef.h>

/* A map, [batch][ceil(channels / 16)][area][16]. */
typedef struct blan_k_norm_shape {
    size_t batch, channels, area;
} blan_k_norm_shape;

/* Floats of workspace that statistics and backward need. */
size_t blan_k_batch_norm_workspace_count(const blan_k_norm_shape *shape);

/* mean and variance (biased: divided by batch x area) of each channel of x. */
void blan_k_batch_norm_statistics(const blan_k_norm_shape *shape, const float *x, float *mean, float *variance,
                                  float *workspace, int threads);

/* out = [relu]((x - mean) * inverse_std * weight + bias + residual); residual NULL = 0. out may be x. */
void blan_k_batch_norm_forward(const blan_k_norm_shape *shape, float *out, const float *x, const float *mean,
                               const float *inverse_std, const float *weight, const float *bias, const float *residual,
                               bool relu, int threads);

/* What backward reads and writes. With g = d_out where relu is false or out > 0, else 0, and xhat = (x - mean) *
   inverse_std:
     d_weight = sum g * xhat, d_bias = sum g (both overwritten or, with accumulate_parameters, added to)
     d_residual = g, or += g with accumulate_residual (NULL = not wanted)
     d_x = weight * inverse_std * (g - mean of g - xhat * mean of g * xhat), or weight * inverse_std * g when frozen:
     mean and inverse_std were then constants. d_x may be d_out; d_residual may be d_out unless d_x is. */
typedef struct blan_k_batch_norm_gradient {
    const float *d_out, *out, *x; /* out is read only with relu */
    const float *mean, *inverse_std, *weight;
    float *d_x, *d_residual, *d_weight, *d_bias;
    bool relu, frozen, accumulate_residual, accumulate_parameters;
} blan_k_batch_norm_gradient;

void blan_k_batch_norm_backward(const blan_k_norm_shape *shape, const blan_k_batch_norm_gradient *gradient,
                                float *workspace, int threads);

/* Backward in two halves, for a batch that lies in several places. The first sums over the pixels here: sums[0] = sum g,
   sums[1] = sum g * xhat, each of channels rounded up to 16 floats; d_weight and d_bias receive them like those of
   backward. The second takes their totals over all places, and `count` pixels of a channel there, for d_x and
   d_residual. mean and inverse_std are the whole batch's; `frozen` does not occur. */
void blan_k_batch_norm_backward_sums(const blan_k_norm_shape *shape, const blan_k_batch_norm_gradient *gradient,
                                     float *sums, float *workspace, int threads);
void blan_k_batch_norm_backward_totals(const blan_k_norm_shape *shape, const blan_k_batch_norm_gradient *gradient,
                                       const float *totals, double count, float *workspace, int threads);

/* The three again by plain loops, sums in double. */
void blan_k_batch_norm_statistics_reference(const blan_k_norm_shape *shape, const float *x, float *mean,
                                            float *variance);
void blan_k_batch_norm_forward_reference(const blan_k_norm_shape *shape, float *out, const float *x, const float *mean,
                                         const float *inverse_std, const float *weight, const float *bias,
                                         const float *residual, bool relu);
void blan_k_batch_norm_backward_reference(const blan_k_norm_shape *shape, const blan_k_batch_norm_gradient *gradient);

#endif
