/*
 * The reconstruction head: a map enlarged by `factor` (nearest neighbour), a 7x7 convolution with padding 3 and bias to
 * three channels, and the mean squared error against the pixels; loss and gradients in one call.
 *
 * The output pixels of one phase (y mod factor, x mod factor) all see the enlarged map through the same 3x3 window of
 * the map itself: the head is one 3x3 convolution to 3 * factor^2 channels whose weights are sums of the 7x7 kernel's
 * taps. That costs a fraction of convolving the enlarged map.
 */
#ifndef BLAN_RECONSTRUCTION_H
#define BLAN_RECONSTRUCTION_H

#include <stdbool.h>
#include <stddef.h>

typedef struct blan_k_reconstruction_shape {
    size_t batch, channels, height, width; /* of the map in memory */
    size_t factor;                         /* at least 4 */
} blan_k_reconstruction_shape;

size_t blan_k_reconstruction_workspace_count(const blan_k_reconstruction_shape *shape, int threads);

/* The loss: the mean of (reconstruction - pixels)^2 over all elements; and, unless d_weights is NULL, `scale` times its
   gradients. map: blocked; pixels: [batch][3][height * factor][width * factor]; weights, d_weights: [3][channels][7][7];
   bias, d_bias: [3]; d_map (blocked; NULL = not wanted) is overwritten or, with accumulate_map, added to; d_weights and
   d_bias likewise with accumulate_weights. reconstruction (NULL = not wanted): like pixels. */
double blan_k_reconstruction(const blan_k_reconstruction_shape *shape, const float *map, const float *pixels,
                             const float *weights, const float *bias, float scale, float *d_map, bool accumulate_map,
                             float *d_weights, float *d_bias, bool accumulate_weights, float *reconstruction,
                             float *workspace, int threads);

/* The same by plain loops over the enlarged map, allocating what it needs; NaN when memory runs out. For tests. */
double blan_k_reconstruction_reference(const blan_k_reconstruction_shape *shape, const float *map, const float *pixels,
                                       const float *weights, const float *bias, float scale, float *d_map,
                                       bool accumulate_map, float *d_weights, float *d_bias, bool accumulate_weights,
                                       float *reconstruction);

#endif
