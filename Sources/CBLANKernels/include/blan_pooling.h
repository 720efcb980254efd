/* The encoder's 3x3 max-pool of stride 2 and padding 1 on blocked maps, for training: prediction has it in the stem. */
#ifndef BLAN_POOLING_H
#define BLAN_POOLING_H

#include <stddef.h>

typedef struct blan_k_pool_shape {
    size_t batch, channels, height, width; /* of the input; the output is (height - 1) / 2 + 1 by (width - 1) / 2 + 1 */
} blan_k_pool_shape;

void blan_k_max_pool_forward(const blan_k_pool_shape *shape, float *out, const float *in, int threads);

/* d_in = gradient: each output's goes to the first largest of its window in reading order, as in PyTorch. */
void blan_k_max_pool_backward(const blan_k_pool_shape *shape, float *d_in, const float *d_out, const float *in,
                              const float *out, int threads);

void blan_k_max_pool_forward_reference(const blan_k_pool_shape *shape, float *out, const float *in);
void blan_k_max_pool_backward_reference(const blan_k_pool_shape *shape, float *d_in, const float *d_out,
                                        const float *in, const float *out);

#endif
