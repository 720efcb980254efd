/* Convolutions on blocked activations: forward, input gradients, weight gradients.

   Activations lie as [batch][ceil(C / 16)][height][width][16] floats; the padding channels of inputs must be zero,
   those of outputs are written as zero. Weights lie as torch's [out][in0 + in1][k][k] and are packed once per
   (shape, method); the packed form depends on neither the batch nor the map's size, so it serves every such shape.

   Every function runs on at most `threads` threads; its results depend neither on that number nor, image by image,
   on the batch around. Nothing allocates: the caller passes a workspace of the count the sibling function names,
   64-byte aligned, contents indifferent, not shared between concurrent calls. All other pointers need 64-byte
   alignment too where they hold blocked or packed data; outputs must not overlap inputs unless said so. */
#ifndef BLAN_CONVOLUTION_H
#define BLAN_CONVOLUTION_H

#include <stdbool.h>
#include <stddef.h>

typedef struct blan_k_conv_shape {
    size_t batch;
    /* Real channels of each input; [1] = 0 for one input. Two inputs are their concatenation along channels,
       never materialised; each has its own padding to 16. */
    size_t in_channels[2];
    /* 1, or the nearest-neighbour factor (2, 4) by which that input is enlarged on the fly: it lies in memory at
       in_height / factor x in_width / factor. The value of an absent input is ignored. */
    size_t in_upsample[2];
    size_t in_height, in_width; /* as the convolution sees them, after any enlargement */
    size_t out_channels;
    size_t kernel, stride, padding; /* square, in pixels */
} blan_k_conv_shape;

typedef enum {
    BLAN_K_CONV_DIRECT,    /* implicit matrix product; any shape */
    BLAN_K_CONV_WINOGRAD2, /* F(2x2, 3x3); kernel 3, stride 1, padding 1 only, as the next */
    BLAN_K_CONV_WINOGRAD4, /* F(4x4, 3x3) */
    BLAN_K_CONV_PHASES     /* one stride-1 input enlarged by an integer: a smaller convolution per output phase */
} blan_k_conv_method;

/* Output height and width: (in + 2 * padding - kernel) / stride + 1. */
size_t blan_k_conv_out_height(const blan_k_conv_shape *shape);
size_t blan_k_conv_out_width(const blan_k_conv_shape *shape);

/* Whether `method` can compute `shape`. */
bool blan_k_conv_supports(const blan_k_conv_shape *shape, blan_k_conv_method method);

/* The fastest method for the shape by a static cost table: forward, and for the gradient of the inputs. */
blan_k_conv_method blan_k_conv_choose(const blan_k_conv_shape *shape, int threads);
blan_k_conv_method blan_k_conv_choose_backward(const blan_k_conv_shape *shape, int threads);

/* Packing for the forward pass. `scale`: one factor per output channel (a folded batch norm), or NULL for 1. */
size_t blan_k_conv_packed_count(const blan_k_conv_shape *shape, blan_k_conv_method method);
void blan_k_conv_pack(
    const blan_k_conv_shape *shape, blan_k_conv_method method, const float *weights, const float *scale,
    float *packed, int threads);

/* out = [relu](convolution(in0 and in1) [+ bias] [+ residual]).
   bias: out_channels values padded with zeros to a multiple of 16, or NULL. residual: blocked like out, may be out
   itself; or NULL. in1: NULL when in_channels[1] is 0. */
size_t blan_k_conv_workspace_count(const blan_k_conv_shape *shape, blan_k_conv_method method, int threads);
void blan_k_conv_forward(
    const blan_k_conv_shape *shape, blan_k_conv_method method, float *out, const float *in0, const float *in1,
    const float *packed, const float *bias, const float *residual, bool relu, float *workspace, int threads);

/* Packing for blan_k_conv_backward_data, of the same torch weights. */
size_t blan_k_conv_backward_packed_count(const blan_k_conv_shape *shape, blan_k_conv_method method);
void blan_k_conv_pack_backward(
    const blan_k_conv_shape *shape, blan_k_conv_method method, const float *weights, float *packed, int threads);

/* Gradients of the inputs from the gradient of the output (before bias, residual and ReLU): d_in0 and d_in1 are
   blocked as the inputs lie in memory (an enlarged input's gradient is summed over its copies). Overwritten, or
   added to where the flag says. d_in0 or d_in1 may be NULL where not wanted. */
size_t blan_k_conv_backward_data_workspace_count(
    const blan_k_conv_shape *shape, blan_k_conv_method method, int threads);
void blan_k_conv_backward_data(
    const blan_k_conv_shape *shape, blan_k_conv_method method, float *d_in0, float *d_in1, bool accumulate0,
    bool accumulate1, const float *d_out, const float *packed, float *workspace, int threads);

/* Gradients of the weights (torch's layout) and of the bias (out_channels values; or NULL), summed over the batch.
   Overwritten, or added to when `accumulate`. The method is the kernels' own affair. */
size_t blan_k_conv_backward_weights_workspace_count(const blan_k_conv_shape *shape, int threads);
void blan_k_conv_backward_weights(
    const blan_k_conv_shape *shape, float *d_weights, float *d_bias, bool accumulate, const float *in0,
    const float *in1, const float *d_out, float *workspace, int threads);

/* The same in plain loops with double sums: what the tests compare with. */
void blan_k_conv_forward_reference(
    const blan_k_conv_shape *shape, float *out, const float *in0, const float *in1, const float *weights,
    const float *bias, const float *residual, bool relu);
void blan_k_conv_backward_data_reference(
    const blan_k_conv_shape *shape, float *d_in0, float *d_in1, bool accumulate0, bool accumulate1,
    const float *d_out, const float *weights);
void blan_k_conv_backward_weights_reference(
    const blan_k_conv_shape *shape, float *d_weights, float *d_bias, bool accumulate, const float *in0,
    const float *in1, const float *d_out);

#endif
