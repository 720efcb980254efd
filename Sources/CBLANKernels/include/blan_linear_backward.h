/* A fully connected layer in training: weights lie as in the weights file, products are OpenBLAS's (see sgemm.h), cut up by
   the shape alone, so that results do not depend on the number of threads. */
#ifndef BLAN_LINEAR_BACKWARD_H
#define BLAN_LINEAR_BACKWARD_H

#include <stdbool.h>
#include <stddef.h>

typedef struct blan_k_linear_shape {
    size_t batch;
    size_t channels, area; /* the input: a blocked map, read in C, H, W order; a vector has area 1 */
    size_t outputs;
} blan_k_linear_shape;

size_t blan_k_linear_training_workspace_count(const blan_k_linear_shape *shape);

/* out[n] = weights * x[n] + bias. x: [batch][blocks][area][16]; weights: [outputs][channels * area]; bias: [outputs];
   out: [batch][outputs rounded up to 16], zero past the outputs. */
void blan_k_linear_training_forward(const blan_k_linear_shape *shape, float *out, const float *x, const float *weights,
                                    const float *bias, float *workspace, int threads);

/* d_x (NULL = not wanted) = gradient of the input, or += with accumulate_x, blocked; d_weights and d_bias in the layout
   of the weights file, overwritten or, with `accumulate`, added to. d_out: like forward's out. */
void blan_k_linear_backward(const blan_k_linear_shape *shape, float *d_x, bool accumulate_x, float *d_weights,
                            float *d_bias, bool accumulate, const float *d_out, const float *x, const float *weights,
                            float *workspace, int threads);

void blan_k_linear_training_forward_reference(const blan_k_linear_shape *shape, float *out, const float *x,
                                              const float *weights, const float *bias);
void blan_k_linear_backward_reference(const blan_k_linear_shape *shape, float *d_x, bool accumulate_x,
                                      float *d_weights, float *d_bias, bool accumulate, const float *d_out,
                                      const float *x, const float *weights);

#endif
