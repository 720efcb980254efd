/* What the drivers of reduced precision share. */
#ifndef BLAN_LOW_INTERNAL_H
#define BLAN_LOW_INTERNAL_H

#include <math.h>
#include <string.h>

#include "convolution_internal.h"
#include "low_dispatch.h"

/* A convolution to run, and where its packed weights lie. Weights are matrices, one for each element of a window (one in
   all for the direct method), of `depth` input blocks: every input block for each tap in the direct method. */
typedef struct low_problem {
    conv_problem conv;
    const low_table *tiles;
    size_t m; /* of F(m x m); 0 = direct */
    size_t elements, taps, in_blocks, depth, out_blocks;
    bool integers;
    /* Bytes from the start of packed weights to: words, [output group][element][depth][word][blocks][16]; the sums'
       starts and the products' scales, [output group][element][blocks][16]; the inputs' scales, [input block][element]
       [16]. */
    size_t start_at, scale_at, input_scale_at, packed_bytes;
} low_problem;

low_problem blan_k_low_problem(const blan_k_conv_shape *shape, blan_k_conv_method method,
                               blan_k_low_precision precision, const float *in0, const float *in1);

/* Rounds to nearest, ties to even. */
BLAN_INLINE uint16_t low_bfloat16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (value != value)
        return 0x7fc0;
    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/* The nearest integer from -127 to 127, and 0 for what is no number. */
BLAN_INLINE int low_eight_bits(float value)
{
    return value >= 127 ? 127 : value <= -127 ? -127 : value == value ? (int)rintf(value) : 0;
}

/* Packed weights as a run reads them. */
typedef struct low_packed {
    const uint32_t *words;
    const int32_t *start; /* NULL for floats */
    const float *scale, *input_scale;
} low_packed;

low_packed blan_k_low_packed(const low_problem *problem, const void *packed);

size_t blan_k_low_winograd_workspace_bytes(const low_problem *problem, int threads);
void blan_k_low_winograd_run(const low_problem *problem, const conv_epilogue *epilogue, const low_packed *packed,
                             void *workspace, int threads);

size_t blan_k_low_direct_workspace_bytes(const low_problem *problem, int threads);
void blan_k_low_direct_run(const low_problem *problem, const conv_epilogue *epilogue, const low_packed *packed,
                           void *workspace, int threads);

#endif
