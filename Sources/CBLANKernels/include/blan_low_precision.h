/*
 * Convolutions and fully connected layers in reduced precision, on the blocked f32 maps of blan_convolution.h: numbers
 * are rounded when they are multiplied, sums and maps are not.
 *
 * BF16: transformed windows and weights are rounded to bfloat16, products are summed in f32. INT8: they are rounded to
 * eight bits, windows with a scale for each input channel and window element (from calibrated ranges), weights with one
 * for each output channel and window element; products are summed exactly. Every instruction set computes the same
 * rounded numbers, up to a last bit where it lacks fused multiply-adds; only the order of the f32 sums differs.
 *
 * As there, nothing allocates, results depend neither on the threads nor on the other images of the batch, and all
 * pointers are aligned to 64 bytes.
 */
#ifndef BLAN_LOW_PRECISION_H
#define BLAN_LOW_PRECISION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blan_convolution.h"
#include "blan_stem.h"

typedef enum blan_k_low_precision { BLAN_K_LOW_BF16, BLAN_K_LOW_INT8 } blan_k_low_precision;

/* True where this CPU multiplies numbers of that precision natively (AVX512-BF16, AVX512-VNNI) and the instruction set
   in force lets it. */
bool blan_k_low_is_native(blan_k_low_precision precision);

/* The fastest method for a shape: direct, F(2x2) or, for BF16 alone, F(4x4), whose windows spread too far for eight
   bits. The functions below take these. */
blan_k_conv_method blan_k_low_conv_choose(const blan_k_conv_shape *shape, blan_k_low_precision precision);

/* Window elements that have ranges of their own: 16 for F(2x2), 1 for the direct method. */
size_t blan_k_low_range_elements(blan_k_conv_method method);

/* ranges[element][channel] = the larger of it and the largest magnitude that element takes in that input channel.
   ranges: blan_k_low_range_elements x (in_channels[0] + in_channels[1]). Method: direct or F(2x2). */
void blan_k_low_conv_ranges(const blan_k_conv_shape *shape, blan_k_conv_method method, float *ranges, const float *in0,
                            const float *in1, int threads);

/* Bytes that packed weights take. */
size_t blan_k_low_conv_packed_bytes(const blan_k_conv_shape *shape, blan_k_conv_method method,
                                    blan_k_low_precision precision);

/* Packs weights, [out][in0 + in1][kernel][kernel], each output channel multiplied by scale[out] (NULL = 1).
   ranges: as above, all finite and not negative; INT8 only. */
void blan_k_low_conv_pack(const blan_k_conv_shape *shape, blan_k_conv_method method, blan_k_low_precision precision,
                          const float *weights, const double *scale, const float *ranges, void *packed, int threads);

/* Bytes of workspace that forward needs. */
size_t blan_k_low_conv_workspace_bytes(const blan_k_conv_shape *shape, blan_k_conv_method method,
                                       blan_k_low_precision precision, int threads);

/* As blan_k_conv_forward. */
void blan_k_low_conv_forward(const blan_k_conv_shape *shape, blan_k_conv_method method, blan_k_low_precision precision,
                             float *out, const float *in0, const float *in1, const void *packed, const float *bias,
                             const float *residual, bool relu, void *workspace, int threads);

/* The same by plain loops, from unpacked weights: the oracle of the tests. */
void blan_k_low_conv_forward_reference(const blan_k_conv_shape *shape, blan_k_conv_method method,
                                       blan_k_low_precision precision, float *out, const float *in0, const float *in1,
                                       const float *weights, const double *scale, const float *ranges,
                                       const float *bias, const float *residual, bool relu);

/* ---- the stem (blan_stem.h): pixels and weights rounded, pixels with a scale for each of their three planes ---- */

/* ranges: the largest magnitude of each plane's pixels, finite and not negative; INT8 only. */
size_t blan_k_low_stem_packed_bytes(const blan_k_stem_shape *shape, blan_k_low_precision precision);
void blan_k_low_stem_pack(const blan_k_stem_shape *shape, blan_k_low_precision precision, const float *weights,
                          const double *scale, const float *ranges, void *packed);
size_t blan_k_low_stem_pool_workspace_bytes(const blan_k_stem_shape *shape, blan_k_low_precision precision,
                                            int threads);

/* As blan_k_stem_pool_forward. */
void blan_k_low_stem_pool_forward(const blan_k_stem_shape *shape, blan_k_low_precision precision, float *out,
                                  const float *pixels, const void *packed, const float *bias, void *workspace,
                                  int threads);

/* ---- fully connected layers: weights alone are rounded, to bfloat16 or to eight bits with a scale for each row ---- */

/* Bytes that packed weights take: `row` inputs of a blocked map for each output. */
size_t blan_k_low_linear_packed_bytes(size_t outputs, size_t row, blan_k_low_precision precision);

/* Packs weights as blan_k_linear_pack does. */
void blan_k_low_linear_pack(const float *weights, size_t outputs, size_t channels, size_t area,
                            blan_k_low_precision precision, void *packed, int threads);

/* As blan_k_linear_forward. */
void blan_k_low_linear_forward(size_t batch, size_t inputs, size_t outputs, float *out, size_t out_step, const float *x,
                               blan_k_low_precision precision, const void *packed, const float *bias, int threads);

#endif
