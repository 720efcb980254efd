/*
 * Convolutions on blocked maps, [batch][ceil(C / 16)][height][width][16] with padding channels zero.
 *
 * A convolution is described once (blan_k_conv_shape), a method chosen for it, its weights packed for that method, and
 * then run any number of times. Nothing here allocates: the caller passes packed weights and workspace of the sizes
 * asked for. Every output cell has one writer and a fixed order of additions, so results depend neither on the number
 * of threads nor on the other images of the batch. All pointers are aligned to 64 bytes.
 */
#ifndef BLAN_CONVOLUTION_H
#define BLAN_CONVOLUTION_H

#include <stdbool.h>
#include <stddef.h>

typedef struct blan_k_conv_shape {
    size_t batch;
    size_t in_channels[2]; /* of each input; [1] = 0 for one input. Two inputs are read as their concatenation */
    size_t in_upsample[2]; /* 1, or the nearest-neighbour factor by which that input is enlarged while it is read: it
                              lies in memory at in_height / f x in_width / f. Winograd wants powers of two */
    size_t in_height;      /* as the convolution sees them */
    size_t in_width;
    size_t out_channels;
    size_t kernel; /* square */
    size_t stride;
    size_t padding;
} blan_k_conv_shape;

typedef enum blan_k_conv_method {
    BLAN_K_CONV_DIRECT,        /* implicit matrix product through a table of pixel pointers: any shape */
    BLAN_K_CONV_WINOGRAD2,     /* F(2x2, 3x3): 3x3, stride 1, padding 1; in reduced precision alone */
    BLAN_K_CONV_WINOGRAD4,     /* F(4x4, 3x3): the same, in any */
    BLAN_K_CONV_WINOGRAD4_TAPS, /* F(4x4, 3x3), its weights packed as they are or half-transformed, and transformed
                                   while they are read */
    BLAN_K_CONV_WINOGRAD4_STRIDED /* F(4x4) for 3x3, stride 2, padding 1 */
} blan_k_conv_method;

size_t blan_k_conv_out_height(const blan_k_conv_shape *shape);
size_t blan_k_conv_out_width(const blan_k_conv_shape *shape);

/* The fastest method that gives the shape's result, from measured costs. */
blan_k_conv_method blan_k_conv_choose(const blan_k_conv_shape *shape);

/* Floats that packed weights take. */
size_t blan_k_conv_packed_count(const blan_k_conv_shape *shape, blan_k_conv_method method);

/* Packs weights, [out][in0 + in1][kernel][kernel], each output channel multiplied by scale[out] (NULL = 1). */
void blan_k_conv_pack(const blan_k_conv_shape *shape, blan_k_conv_method method, const float *weights,
                      const double *scale, float *packed, int threads);

/* Floats of workspace that forward needs. */
size_t blan_k_conv_workspace_count(const blan_k_conv_shape *shape, blan_k_conv_method method, int threads);

/* out = [relu](conv(in) + bias + residual). bias: out_channels rounded up to 16 (NULL = 0); residual: like out
   (NULL = 0, may be out itself). in1 is read when in_channels[1] > 0. */
void blan_k_conv_forward(const blan_k_conv_shape *shape, blan_k_conv_method method, float *out, const float *in0,
                         const float *in1, const float *packed, const float *bias, const float *residual, bool relu,
                         float *workspace, int threads);

/* The same result by plain loops, from unpacked weights: the oracle of the tests. */
void blan_k_conv_forward_reference(const blan_k_conv_shape *shape, float *out, const float *in0, const float *in1,
                                   const float *weights, const double *scale, const float *bias, const float *residual,
                                   bool relu);

/* The method and the sizes for the gradient with respect to the inputs. */
blan_k_conv_method blan_k_conv_backward_choose(const blan_k_conv_shape *shape);
size_t blan_k_conv_backward_packed_count(const blan_k_conv_shape *shape, blan_k_conv_method method);
void blan_k_conv_backward_pack(const blan_k_conv_shape *shape, blan_k_conv_method method, const float *weights,
                               float *packed, int threads);
size_t blan_k_conv_backward_workspace_count(const blan_k_conv_shape *shape, blan_k_conv_method method, int threads);

/* d_in = gradient of the inputs, or d_in += it where accumulate says so. d_in1 is written when in_channels[1] > 0.
   Either may be NULL when its gradient is not wanted. */
void blan_k_conv_backward_data(const blan_k_conv_shape *shape, blan_k_conv_method method, float *d_in0, float *d_in1,
                               bool accumulate0, bool accumulate1, const float *d_out, const float *packed,
                               float *workspace, int threads);
void blan_k_conv_backward_data_reference(const blan_k_conv_shape *shape, float *d_in0, float *d_in1,
                                         const float *d_out, const float *weights);

/* d_weights ([out][in0 + in1][kernel][kernel]) = or += gradient of the weights; d_bias (NULL = not wanted) likewise. */
size_t blan_k_conv_backward_weights_workspace_count(const blan_k_conv_shape *shape, int threads);
void blan_k_conv_backward_weights(const blan_k_conv_shape *shape, float *d_weights, float *d_bias, bool accumulate,
                                  const float *in0, const float *in1, const float *d_out, float *workspace,
                                  int threads);
void blan_k_conv_backward_weights_reference(const blan_k_conv_shape *shape, float *d_weights, float *d_bias,
                                            const float *in0, const float *in1, const float *d_out);

#endif
