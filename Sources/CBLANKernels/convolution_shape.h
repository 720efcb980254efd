/* Index arithmetic that every convolution file shares. */
#ifndef BLAN_K_CONVOLUTION_SHAPE_H
#define BLAN_K_CONVOLUTION_SHAPE_H

#include "include/blan_convolution.h"

static inline size_t blan_k_blocks(size_t channels) { return (channels + 15) / 16; }

static inline size_t blan_k_ceil(size_t value, size_t divisor) { return (value + divisor - 1) / divisor; }

static inline size_t blan_k_minimum(size_t a, size_t b) { return a < b ? a : b; }

/* Channel blocks of one input (0 when absent), and of both. */
static inline size_t blan_k_in_blocks(const blan_k_conv_shape *s, size_t input)
{
    return blan_k_blocks(s->in_channels[input]);
}

static inline size_t blan_k_all_in_blocks(const blan_k_conv_shape *s)
{
    return blan_k_in_blocks(s, 0) + blan_k_in_blocks(s, 1);
}

/* Size in memory of one input. */
static inline size_t blan_k_stored_height(const blan_k_conv_shape *s, size_t input)
{
    return s->in_height / s->in_upsample[input];
}

static inline size_t blan_k_stored_width(const blan_k_conv_shape *s, size_t input)
{
    return s->in_width / s->in_upsample[input];
}

/* Floats of one image of one input as stored. */
static inline size_t blan_k_stored_image(const blan_k_conv_shape *s, size_t input)
{
    return s->in_channels[input] == 0
        ? 0
        : blan_k_in_blocks(s, input) * blan_k_stored_height(s, input) * blan_k_stored_width(s, input) * 16;
}

/* The torch input channel behind a blocked one (block over both inputs, lane), or SIZE_MAX for padding. */
static inline size_t blan_k_torch_channel(const blan_k_conv_shape *s, size_t block, size_t lane)
{
    const size_t first = blan_k_in_blocks(s, 0);
    const size_t input = block >= first;
    const size_t channel = (block - (input ? first : 0)) * 16 + lane;
    return channel < s->in_channels[input] ? channel + (input ? s->in_channels[0] : 0) : (size_t)-1;
}

#endif
