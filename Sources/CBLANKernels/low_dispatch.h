/*
 * How the kernels of reduced precision reach the instruction set: as in dispatch.h, with a table for each precision.
 *
 * Numbers are multiplied in words of 32 bits, each two (bfloat16, 16-bit integers) or four (8-bit integers) channels of
 * one pixel, that meet the same channels' weights for sixteen outputs in one instruction. Pixels come in runs of four.
 */
#ifndef BLAN_LOW_DISPATCH_H
#define BLAN_LOW_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/blan_low_precision.h"

enum { LOW_RUN = 4 };

/* What words hold. */
typedef enum low_encoding {
    LOW_ENCODING_BF16,
    LOW_ENCODING_INT16, /* 8-bit numbers in sixteen bits, where nothing multiplies bytes exactly */
    LOW_ENCODING_INT8,  /* pixels plus 128 as unsigned bytes, weights as signed ones */
} low_encoding;

/* A run of adjacent Winograd windows, which may reach over every edge of the map. */
typedef struct low_windows {
    const float *plane;   /* the channel block's map in memory */
    size_t plane_width;   /* of that map */
    ptrdiff_t y, x;       /* the first window's first pixel, in the map as the convolution sees it */
    size_t height, width; /* of the map as the convolution sees it */
    unsigned shift;       /* that map is 2^shift times as large as the one in memory */
    const float *scale;   /* [element][16], applied before rounding; NULL = none */
} low_windows;

/* What is added to sums and where they go. */
typedef struct low_output {
    float *out;            /* first pixel of the tile in its output block */
    const float *residual; /* the same for the residual; NULL = none */
    size_t row_step;       /* floats between rows of out */
    size_t rows, columns;  /* how much of the tile lies inside the map */
    const float *bias;     /* of the output block; NULL = none */
    const float *scale;    /* of the first element, scale_step floats apart; integers only */
    size_t scale_step;
    bool relu;
} low_output;

typedef struct low_table {
    low_encoding encoding;
    size_t words;       /* of a block of sixteen channels */
    size_t tile_pixels; /* most that multiply takes at once: a multiple of LOW_RUN */
    size_t tile_blocks; /* most output blocks */

    /* out[b][p][16] = start[b][16] + sum over in_blocks and channels of a * w; start NULL = 0. a: [block][run][words of
       four pixels]; w: [block][word][blocks][16]. Integers are stored as integers. */
    void (*multiply)(size_t pixels, size_t blocks, float *out, size_t out_block_step, const uint32_t *a,
                     size_t a_block_step, size_t in_blocks, const uint32_t *w, const int32_t *start);

    /* Winograd's transforms, F(2x2) and F(4x4) (integers: F(2x2) alone), of a run of windows, v[e * step] being element
       e's words, and of one tile's products. */
    void (*input[2])(uint32_t *v, size_t step, const low_windows *windows);
    void (*output[2])(const low_output *output, const float *products, size_t step);

    /* Rounds a run of pixels: out[b * block_step] = the run of block b of pixels[i], NULL = zeros; their blocks lie
       in_block_step floats apart. scale: [block][16]. */
    void (*collect)(size_t blocks, uint32_t *out, size_t block_step, const float *const pixels[LOW_RUN],
                    size_t in_block_step, const float *scale);

    /* out[places[p]] = [relu](scale * products[p] + bias + residual), for one output block. */
    void (*finish)(size_t pixels, const low_output *output, const size_t *places, const float *products);

    /* Rounds sixteen pixels of a plane to the numbers that words are made of. scale: integers only. */
    void (*round)(void *out, const float *pixels, float scale);

    /* out[0..4) = rows w, w + row_bytes, ... times x; rows are bfloat16, or signed bytes times scale[row]. */
    void (*dot4)(size_t count, float *out, const float *x, const void *w, size_t row_bytes, const float *scale);
} low_table;

extern const low_table blan_k_low_bf16_portable, blan_k_low_bf16_avx2, blan_k_low_bf16_avx512;
extern const low_table blan_k_low_int8_portable, blan_k_low_int8_avx2, blan_k_low_int8_avx512;

/* The table of the instruction set in force. */
const low_table *blan_k_low_tiles(blan_k_low_precision precision);

#endif
