/*
 * The stem: a 7x7 convolution of stride 2 and padding 3 from planar pixels, [batch][3][height][width], to a blocked
 * map of half the size; for prediction with its ReLU and 3x3 stride 2 max-pool in the same pass. Even sizes only.
 */
#ifndef BLAN_STEM_H
#define BLAN_STEM_H

#include <stdbool.h>
#include <stddef.h>

typedef struct blan_k_stem_shape {
    size_t batch, height, width, out_channels;
} blan_k_stem_shape;

size_t blan_k_stem_packed_count(const blan_k_stem_shape *shape);

/* weights: [out][3][7][7], each output channel multiplied by scale[out] (NULL = 1). */
void blan_k_stem_pack(const blan_k_stem_shape *shape, const float *weights, const double *scale, float *packed);

size_t blan_k_stem_workspace_count(const blan_k_stem_shape *shape);

/* out: [batch][blocks][height / 2][width / 2][16] = conv(pixels) + bias (NULL = 0). */
void blan_k_stem_forward(const blan_k_stem_shape *shape, float *out, const float *pixels, const float *packed,
                         const float *bias, float *workspace, int threads);

/* The same for prediction, whose weights are packed in a form of its own. */
size_t blan_k_stem_pool_packed_count(const blan_k_stem_shape *shape);
void blan_k_stem_pool_pack(const blan_k_stem_shape *shape, const float *weights, const double *scale, float *packed);
size_t blan_k_stem_pool_workspace_count(const blan_k_stem_shape *shape, int threads);

/* out: [batch][blocks][height / 4][width / 4][16] = maxpool(relu(conv(pixels) + bias)); sizes are multiples of 4. */
void blan_k_stem_pool_forward(const blan_k_stem_shape *shape, float *out, const float *pixels, const float *packed,
                              const float *bias, float *workspace, int threads);

/* The same by plain loops, from unpacked weights. out is the convolution's. */
void blan_k_stem_forward_reference(const blan_k_stem_shape *shape, float *out, const float *pixels,
                                   const float *weights, const double *scale, const float *bias);

size_t blan_k_stem_backward_weights_workspace_count(const blan_k_stem_shape *shape);

/* d_weights ([out][3][7][7]) = or += gradient of the weights from d_out, shaped like forward's out. */
void blan_k_stem_backward_weights(const blan_k_stem_shape *shape, float *d_weights, bool accumulate,
                                  const float *pixels, const float *d_out, float *workspace, int threads);

#endif
