/* The network's first layer: 7x7 convolution, stride 2, padding 3, from planar pixels [batch][3][height][width] to
   blocked channels [batch][ceil(C / 16)][height / 2][width / 2][16]. Alignment, threads and workspaces as in
   blan_convolution.h. Height and width are at least 4 and even. */
#ifndef BLAN_STEM_H
#define BLAN_STEM_H

#include <stdbool.h>
#include <stddef.h>

typedef struct blan_k_stem_shape {
    size_t batch, height, width; /* of the pixels */
    size_t out_channels;
} blan_k_stem_shape;

/* weights: torch's [out][3][7][7]; scale: one factor per output channel or NULL. */
size_t blan_k_stem_packed_count(const blan_k_stem_shape *shape);
void blan_k_stem_pack(const blan_k_stem_shape *shape, const float *weights, const float *scale, float *packed);

/* out = [relu](convolution [+ bias]); bias padded with zeros to a multiple of 16, or NULL. */
size_t blan_k_stem_workspace_count(const blan_k_stem_shape *shape, int threads);
void blan_k_stem_forward(
    const blan_k_stem_shape *shape, float *out, const float *pixels, const float *packed, const float *bias,
    bool relu, float *workspace, int threads);

/* The same with ReLU, followed by the 3x3 maximum of stride 2 and padding 1, rows pooled while they are in cache:
   out is [batch][ceil(C / 16)][(height / 2 + 1) / 2][(width / 2 + 1) / 2][16]. */
size_t blan_k_stem_pool_workspace_count(const blan_k_stem_shape *shape, int threads);
void blan_k_stem_pool_forward(
    const blan_k_stem_shape *shape, float *out, const float *pixels, const float *packed, const float *bias,
    float *workspace, int threads);

/* Gradient of the weights (torch's layout) and, unless NULL, of the bias; overwritten, or added to. */
size_t blan_k_stem_backward_weights_workspace_count(const blan_k_stem_shape *shape, int threads);
void blan_k_stem_backward_weights(
    const blan_k_stem_shape *shape, float *d_weights, float *d_bias, bool accumulate, const float *pixels,
    const float *d_out, float *workspace, int threads);

/* The same in plain loops with double sums: what the tests compare with. */
void blan_k_stem_forward_reference(
    const blan_k_stem_shape *shape, float *out, const float *pixels, const float *weights, const float *bias,
    bool relu);
void blan_k_stem_backward_weights_reference(
    const blan_k_stem_shape *shape, float *d_weights, float *d_bias, bool accumulate, const float *pixels,
    const float *d_out);

#endif
