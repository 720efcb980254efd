/* A fully connected layer on rows whose length is a multiple of 16. */
#ifndef BLAN_LINEAR_H
#define BLAN_LINEAR_H

#include <stddef.h>

/* Rows that packed weights hold: outputs rounded up to 4, the rest zero. */
size_t blan_k_linear_padded_outputs(size_t outputs);

/* Packs weights [outputs][channels * area], inputs in C, H, W order, for a blocked map of `channels` x `area`:
   [padded outputs][blocks][area][16]. */
void blan_k_linear_pack(const float *weights, size_t outputs, size_t channels, size_t area, float *packed,
                        int threads);

/* out[n][outputs] = packed * x[n] + bias; x: [batch][inputs], inputs a multiple of 16; rows of out are out_step floats
   apart, at least outputs rounded up to 16, and zero past the outputs. */
void blan_k_linear_forward(size_t batch, size_t inputs, size_t outputs, float *out, size_t out_step, const float *x,
                           const float *packed, const float *bias, int threads);

#endif
