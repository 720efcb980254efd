/* What the drivers of one convolution share. */
#ifndef BLAN_CONVOLUTION_INTERNAL_H
#define BLAN_CONVOLUTION_INTERNAL_H

#include "dispatch.h"
#include "include/blan_convolution.h"
#include "vector.h"

BLAN_INLINE size_t blocks_of(size_t channels) { return (channels + BLAN_BLOCK - 1) / BLAN_BLOCK; }
BLAN_INLINE size_t smaller(size_t a, size_t b) { return a < b ? a : b; }
BLAN_INLINE size_t larger(size_t a, size_t b) { return a > b ? a : b; }
BLAN_INLINE size_t divide_up(size_t a, size_t b) { return (a + b - 1) / b; }

/* Floats from one image to the next, rounded to whole cache lines. */
BLAN_INLINE size_t aligned_count(size_t floats) { return divide_up(floats, BLAN_BLOCK) * BLAN_BLOCK; }

/* A map that a convolution reads: its part of the concatenation. */
typedef struct conv_input {
    const float *data;
    size_t channels;
    size_t upsample;
} conv_input;

/* A convolution, or the gradient of one with respect to an input, which is a convolution read backwards. */
typedef struct conv_problem {
    size_t batch;
    conv_input inputs[2];
    size_t input_count;
    size_t in_height, in_width;   /* as seen; in memory divided by the input's factor */
    size_t out_height, out_width;
    size_t out_channels;
    size_t kernel, stride, padding;
    bool transposed; /* out pixel y collects from in pixels (y + padding - tap) / stride */
    /* The weight of output o, input i, tap t is at o * weight_out_step + i * weight_in_step + t; flipped: the taps are
       read from the last to the first. */
    size_t weight_out_step, weight_in_step;
    bool weight_flipped;
} conv_problem;

typedef struct conv_epilogue {
    float *out;
    const float *bias;     /* NULL = none */
    const float *residual; /* NULL = none */
    bool relu;
    bool accumulate;
} conv_epilogue;

/* Input blocks of both inputs. */
BLAN_INLINE size_t in_blocks_total(const conv_problem *problem)
{
    size_t blocks = 0;
    for (size_t i = 0; i < problem->input_count; i++)
        blocks += blocks_of(problem->inputs[i].channels);
    return blocks;
}

/* The input that an input block, counted over both, belongs to; *block becomes its number there. */
BLAN_INLINE const conv_input *input_of(const conv_problem *problem, size_t *block)
{
    const size_t first = blocks_of(problem->inputs[0].channels);
    if (*block < first)
        return &problem->inputs[0];
    *block -= first;
    return &problem->inputs[1];
}

/* First channel, counted over both inputs, and number of channels of an input block. */
typedef struct block_channels {
    size_t first, count;
} block_channels;

BLAN_INLINE block_channels channels_of(const conv_problem *problem, size_t block)
{
    const conv_input *input = input_of(problem, &block);
    const size_t base = input == &problem->inputs[0] ? 0 : problem->inputs[0].channels;
    return (block_channels){base + block * BLAN_BLOCK, smaller(BLAN_BLOCK, input->channels - block * BLAN_BLOCK)};
}

/* Image `n` of a map with `image` floats each; NULL for a map that is not wanted. */
BLAN_INLINE float *at_image(float *map, size_t n, size_t image) { return map == NULL ? NULL : map + n * image; }

/* Whether the enlargement of every input is a power of two: Winograd's windows find their places by shifts. */
BLAN_INLINE bool enlarges_by_shifts(const conv_problem *problem)
{
    for (size_t i = 0; i < problem->input_count; i++)
        if ((problem->inputs[i].upsample & (problem->inputs[i].upsample - 1)) != 0)
            return false;
    return true;
}

/* The enlargement of an input, a power of two, as a shift. */
BLAN_INLINE unsigned shift_of(size_t upsample) { return (unsigned)__builtin_ctzll(upsample); }

/* Floats (or words) from one element of Winograd's window to the next, for so many cache lines of an element. Their
   number is made odd: the elements of a tile, written and read together, then fall into different sets of the caches. */
BLAN_INLINE size_t element_step(size_t lines) { return (lines | 1) * BLAN_BLOCK; }

/* Where a Winograd tile of m x m outputs lies: its image and its first output pixel. */
typedef struct tile_place {
    size_t image, y, x;
} tile_place;

/* Of a tile, counted row by row over all images. */
BLAN_INLINE tile_place place_of(size_t tile, size_t tiles_y, size_t tiles_x, size_t m)
{
    const size_t row = tile / tiles_x;
    return (tile_place){row / tiles_y, row % tiles_y * m, tile % tiles_x * m};
}

/* The problem of a forward convolution. */
conv_problem blan_k_conv_forward_problem(const blan_k_conv_shape *shape, const float *in0, const float *in1);

/* The problem of the gradient of input `index`, enlarged as the convolution saw it; with `as_forward`, a 3x3 stride 1 one
   as a plain convolution. */
conv_problem blan_k_conv_backward_problem(const blan_k_conv_shape *shape, size_t index, const float *d_out,
                                          bool as_forward);

size_t blan_k_direct_packed_count(const conv_problem *problem);
void blan_k_direct_pack(const conv_problem *problem, const float *weights, const double *scale, float *packed,
                        int threads);
size_t blan_k_direct_workspace_count(const conv_problem *problem, int threads);
void blan_k_direct_run(const conv_problem *problem, const conv_epilogue *epilogue, const float *packed,
                       float *workspace, int threads);

/* F(4x4, 3x3), its weights packed transformed or as taps; of stride 2 transformed. */
typedef struct winograd_kind {
    bool taps;
    size_t stride;
} winograd_kind;

size_t blan_k_winograd_packed_count(const conv_problem *problem, winograd_kind kind);
void blan_k_winograd_pack(const conv_problem *problem, winograd_kind kind, const float *weights, const double *scale,
                          float *packed, int threads);
size_t blan_k_winograd_workspace_count(const conv_problem *problem, winograd_kind kind, int threads);
void blan_k_winograd_run(const conv_problem *problem, winograd_kind kind, const conv_epilogue *epilogue,
                         const float *packed, float *workspace, int threads);

/* ---- the gradient of the weights ---- */

/* What its methods share. Input blocks are counted over both inputs. */
typedef struct weight_gradient {
    const blan_k_conv_shape *shape;
    const blan_k_tile_table *tiles;
    size_t in_blocks, out_blocks;
    size_t out_height, out_width;
    const float *in[2], *d_out;
    float *d_weights;
    bool accumulate;
} weight_gradient;

/* One channel block of an input: its first channel in the concatenation, how many channels it has, and where it lies. */
typedef struct weight_block {
    size_t channel, channels;
    const float *data;      /* of the first image */
    size_t image;           /* floats from one image to the next */
    size_t factor, width; /* of the map in memory */
} weight_block;

weight_block blan_k_weight_block(const weight_gradient *g, size_t block);

/* Writes the gradients of input channel `channel` and of output block `block`: tap t's sixteen at taps + t * step. */
void blan_k_store_taps(const weight_gradient *g, size_t block, size_t channel, const float *taps, size_t step);

size_t blan_k_direct_weights_workspace_count(const weight_gradient *g, int threads);
void blan_k_direct_weights(const weight_gradient *g, float *workspace, int threads);

/* 3x3, stride 1, padding 1. */
size_t blan_k_winograd_weights_workspace_count(const weight_gradient *g);
void blan_k_winograd_weights(const weight_gradient *g, float *workspace, int threads);

#endif
