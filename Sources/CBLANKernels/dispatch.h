/*
 * How a kernel reaches the instruction set of the CPU it runs on.
 *
 * A tile function does a small, sequential piece of work and is written once, in tiles/<family>.h, on the vector type
 * of vector.h. isa_portable.c, isa_avx2.c and isa_avx512.c include those files under their own target attribute and
 * export one table each; dispatch.c picks a table once. Drivers (convolution_direct.c, ...) are plain C: they cut the
 * work into tasks, run them through blan_k_parallel_for, and call the tile functions through blan_k_tiles().
 *
 * To add a family: write tiles/<family>.h, add its functions to blan_k_tile_table and to isa_table.h.
 */
#ifndef BLAN_DISPATCH_H
#define BLAN_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "include/blan_optimisers.h"

/* What one tap of one input brings to a tile of the direct convolution. */
typedef struct blan_k_direct_entry {
    const float *pixels; /* of its first channel block: adjacent, 16 floats each */
    size_t block_step;   /* floats to the next channel block's */
    size_t in_blocks;
    size_t weights;      /* floats, per output block, from w to the entry's weights */
} blan_k_direct_entry;

/* A tile of the direct convolution: what it reads and where it writes. */
typedef struct blan_k_direct_tile {
    const blan_k_direct_entry *entry;
    size_t entries;
    const size_t *places;  /* [pixels]: floats from out to each pixel, in the first block written */
    float *out;
    const float *residual; /* lies like out; NULL = none */
    size_t out_block_step; /* floats from one output block of a pixel to the next */
    const float *bias;     /* of the first block written; NULL = none */
    bool relu;
    bool accumulate; /* add to what out holds */
} blan_k_direct_tile;

/* Where a Winograd tile's window lies: it may reach over every edge of the map. */
typedef struct blan_k_winograd_input {
    const float *plane;  /* the channel block's map in memory */
    size_t plane_width;  /* of that map */
    ptrdiff_t y, x;      /* the window's first pixel, in the map as the convolution sees it */
    size_t height, width; /* of the map as the convolution sees it */
    unsigned shift;      /* that map is 2^shift times as large as the one in memory */
} blan_k_winograd_input;

/* What the output transform of a Winograd tile adds and where it writes. */
typedef struct blan_k_winograd_output {
    float *out;            /* first pixel of the tile in its output block */
    const float *residual; /* the same for the residual; NULL = none */
    size_t row_step;       /* floats between rows of out */
    size_t rows, columns;  /* how much of the tile lies inside the map */
    const float *bias;     /* of the output block; NULL = none */
    bool relu;
    bool accumulate;
} blan_k_winograd_output;

/* Moments of one channel block: the mean of `count` values of each channel and their sum of squared deviations. */
typedef struct blan_k_moments {
    double count, mean[16], squares[16];
} blan_k_moments;

/* What one channel block's pixels of a map's gradient are made from and go to; NULL as in blan_batch_norm.h. */
typedef struct blan_k_norm_pixels {
    const float *d_out, *out, *x;
    float *d_x, *d_residual;
} blan_k_norm_pixels;

/* Pixels of one channel block of a gated map and its gradient; NULL as in blan_attention_backward.h. */
typedef struct blan_k_gated_pixels {
    const float *map, *d_out;
    const float *channel_gate, *location_gate; /* [16], [pixels] */
    float *d_map;
    float *channel_sum;    /* [16]: overwritten by the gradient of the channel gate, summed over these pixels */
    float *location_lanes; /* [pixels][16]: added to; their sums are the gradient of the location gate */
} blan_k_gated_pixels;

/* The kernels of up to sixteen output channels and one input channel. */
typedef struct blan_k_winograd_kernels {
    const float *weights; /* the first one's nine taps */
    size_t lane_step;     /* floats to the next one's */
    size_t lanes;         /* how many there are; the others count as zero */
    bool flipped;         /* taps are read from the last to the first */
    const double *scale;  /* [lanes]; NULL = 1 */
} blan_k_winograd_kernels;

/* The matrix product of adjacent pixels and the weights of some output blocks. */
typedef struct blan_k_product {
    float *out; /* [blocks: out_block_step apart][pixels][16] */
    size_t out_block_step;
    bool add;       /* to what is there */
    const float *a; /* [input blocks: a_block_step apart][pixels][16]; of a last block that is not full, no more is read */
    size_t a_block_step, channels;
    const float *weights; /* [channels][blocks][16] */
    const float *ahead;   /* what is fetched to the caches meanwhile: at least ahead_floats for each channel */
    size_t ahead_floats;
} blan_k_product;

/* The products of Winograd tiles and one output block from its taps. */
typedef struct blan_k_taps_product {
    const float *taps; /* [in_blocks][taps * 16][16 out] */
    const float *next; /* those that are wanted after these, as many */
    size_t in_blocks;
    const float *v;    /* [36: window_step apart][in_blocks: block_step apart][tiles][16] */
    size_t window_step, block_step;
    float *products;   /* [36: product_step apart][tiles][16] */
    size_t product_step;
} blan_k_taps_product;

/* The subsets of four rows of 16 floats: see tiles/four_russians.h. */
enum {
    BLAN_SUBSET_ROWS = 4,
    BLAN_SUBSET_FLOATS = 16 << BLAN_SUBSET_ROWS, /* of a table */
    BLAN_SUBSET_STEP = 8, /* a subset is stored times this: from there the CPU scales to its place in an address */
};

/* An input that is not zero, and where its weights lie. */
typedef struct blan_k_active {
    float value;
    uint32_t place;
} blan_k_active;

/* The product of adjacent pixels' active inputs and the weights of some output blocks: see tiles/sparse.h. */
typedef struct blan_k_sparse_product {
    float *out; /* [blocks: out_block_step apart][pixels][16] */
    size_t out_block_step;
    const float *bias; /* [blocks][16], what sums begin with; NULL = what is in out */
    bool relu;
    const blan_k_active *active; /* [pixels][BLAN_SUMMED_CHANNELS], and two entries behind them, read but not used */
    const uint32_t *counts;      /* [pixels] */
    const float *weights;        /* [channels][sparse_blocks][16] */
} blan_k_sparse_product;

/* The real or the fake pair of an image in one channel block: see tiles/mutual_information.h. */
typedef struct blan_k_lmim_pair {
    const float *vector;   /* [16]: what the embedding adds to the features' part */
    const float *sums;     /* [locations][16]: the gradient before the ReLU, for a score's gradient of 1 */
    const float *d_scores; /* [locations] */
    float *d_vector;       /* [16]: the vector's gradient, overwritten */
} blan_k_lmim_pair;

/* A tile of a chain's convolution: see tiles/chain.h. */
typedef struct blan_k_valid_tile {
    const float *in; /* the first output pixel's window */
    size_t channels, kernel;
    size_t row_step, block_step; /* floats between rows, and between channel blocks, of the input */
    const float *bias, *slope;   /* of the first block written; slope NULL = 1 */
    float *out;
    size_t out_block_step;
} blan_k_valid_tile;

typedef struct blan_k_tile_table {
    size_t tile_pixels; /* most pixels that direct takes, and multiply at once */
    size_t tile_blocks; /* most output blocks */
    size_t taps_tiles;  /* tiles from which fewer hardly cost less in winograd_multiply_taps */
    size_t taps_group;  /* most tiles that share there what is read of the taps */
    size_t taps;        /* vectors that it has in place of the nine taps of an input channel */
    size_t sparse_blocks; /* most output blocks of sparse_multiply, and between whose weights its places count */

    void (*multiply)(size_t pixels, size_t blocks, const blan_k_product *product);

    /* The direct convolution of `pixels` output pixels x `blocks` output blocks. An entry's
       weights are [in_blocks][16][blocks][16]. */
    void (*direct)(size_t pixels, size_t blocks, const blan_k_direct_tile *tile, const float *w);

    /* Weight gradient: dw[c][16] = sum over `pixels` of x[p * 16 + c] * dy[p * 16 + k], added to dw where `add`. */
    void (*outer)(size_t pixels, float *dw, bool add, const float *x, const float *dy);

    /* Copies of pixels and sums of them: see tiles/collect.h. */
    void (*collect)(size_t pixels, size_t blocks, float *out, size_t out_block_step, const float *row,
                    size_t in_block_step, ptrdiff_t start, size_t step, size_t factor, size_t extent);
    void (*sum_locations)(size_t area, const float *map, float *sum);
    void (*sum_cells)(size_t width, size_t factor, float *out, const float *in, size_t row_step, bool accumulate);

    /* Winograd transforms of one tile and one channel block: F(4x4) of stride 1, and of stride 2. v, m_tile: one
       vector for each element of the window, `step` floats apart. */
    void (*winograd_input[2])(float *v, size_t step, const blan_k_winograd_input *input);
    void (*winograd_output[2])(const blan_k_winograd_output *output, const float *m_tile, size_t step);

    /* The weight gradient's, and the stem's output: see tiles/winograd.h. */
    void (*winograd_gradient)(float *v, size_t step, const float *gradient, size_t row_step, size_t rows,
                              size_t columns);
    void (*winograd3_output)(float *out, size_t row_step, const float *m, size_t step);

    /* Transformed kernels, one vector for each element of the window (of stride 2: for each that differs) at
       u[e * step]. */
    void (*winograd_weights[2])(float *u, size_t step, const blan_k_winograd_kernels *weights);

    /* F(4x4) from taps: see tiles/winograd_taps.h and winograd_rows.h. */
    void (*winograd_pack_taps)(float *taps, size_t in_blocks, size_t channel, const blan_k_winograd_kernels *weights);
    void (*winograd_multiply_taps)(size_t tiles, const blan_k_taps_product *product);

    /* The stem: `pixels` adjacent outputs (stride 2) of `blocks` output blocks from padded planar rows.
       plane: first pixel of the window in channel 0; w: [3 * 7 * 7][blocks][16]. */
    void (*stem)(size_t pixels, size_t blocks, float *out, size_t out_block_step, const float *plane, size_t row_step,
                 size_t plane_step, const float *w, const float *bias);

    /* The stem's weight gradient: see tiles/stem.h. */
    void (*stem_outer)(size_t pixels, float *sums, const float *row, size_t plane_step, const float *gradient);

    /* The stem for prediction: see tiles/stem.h. */
    void (*stem_pool)(size_t width, float *out, const float *const rows[3], const float *bias);

    /* RDAM: see tiles/attention.h. */
    void (*pool_locations)(size_t area, const float *map, const float *gate, float *sum, float *maximum);
    void (*pool_channels)(size_t count, size_t channels, const float *map, size_t block_step, const float *gate,
                          float *mean, float *maximum);
    void (*attend)(size_t area, float *out, const float *map, const float *channel_gate, const float *location_gate,
                   const float *residual);

    /* out[0..4) = rows w, w + row_step, ... times x. */
    void (*dot4)(size_t count, float *out, const float *x, const float *w, size_t row_step);

    /* Updates of parameters: see tiles/optimisers.h. */
    void (*adam)(size_t count, float *w, const float *gradient, float *m, float *v, const blan_k_adam *rule);
    void (*scaled_sum)(size_t count, float *sum, float sum_scale, const float *term, float term_scale);
    double (*sum_of_squares)(size_t count, const float *values);
    void (*dropout)(size_t count, float *out, const float *in, uint32_t first, const uint32_t keys[2],
                    uint32_t threshold, float scale);

    /* Batch normalisation of `count` pixels of one channel block: see tiles/batch_norm.h. */
    void (*norm_moments)(size_t count, const float *x, blan_k_moments *moments);
    void (*norm_forward)(size_t count, float *out, const float *x, const float *mean, const float *inverse_std,
                         const float *weight, const float *bias, const float *residual, bool relu);
    void (*norm_sums)(size_t count, const blan_k_norm_pixels *pixels, const float *mean, const float *inverse_std,
                      double *sum, double *product);
    void (*norm_backward)(size_t count, const blan_k_norm_pixels *pixels, const float *mean, const float *factor,
                          const float *offset, const float *slope, bool accumulate_residual);

    /* Products with masks, and with inputs of which many are zero: see tiles/four_russians.h and sparse.h. */
    void (*subset_sums)(size_t rows, float *tables, const float *source, const float *scales, const float *offset);
    void (*masked_sums)(size_t rows, size_t tables, float *out, bool add, const float *table, const uint8_t *subsets,
                        size_t step);
    void (*list_active)(size_t pixels, size_t blocks, blan_k_active *active, uint32_t *counts, const float *map,
                        size_t block_step, const float *offset);
    void (*sparse_multiply)(size_t pixels, size_t blocks, const blan_k_sparse_product *product);

    /* LMIM: see tiles/mutual_information.h. */
    void (*lmim_score)(size_t count, size_t blocks, float *scores, const float *map, size_t block_step,
                       const float *weights);
    void (*lmim_score_backward)(size_t count, const float *map, const float *d_scores, float *score_sum,
                                float *active_sum, uint8_t *by_location, size_t location_step, uint8_t *by_channel,
                                size_t channel_step);
    void (*lmim_hidden_backward)(size_t count, float *d_map, const float *map, const blan_k_lmim_pair pairs[2]);

    /* The reconstruction head: see tiles/reconstruction.h. */
    float (*phase_loss)(size_t width, float *phases, const float *pixels, size_t pixel_step, const size_t *offsets,
                        size_t lanes, float factor);

    /* The max-pool of one row of outputs and its gradient: see tiles/pooling.h. */
    void (*max_pool)(size_t width, float *out, const float *const rows[3]);
    void (*max_pool_backward)(size_t width, float *const d_rows[3], const float *d_out, const float *const rows[3],
                              const float *out);

    /* Gradients of RDAM's attentions: see tiles/attention_backward.h. */
    void (*first_location)(size_t area, const float *map, float *sum, float *maximum, int32_t *place);
    void (*first_channel)(size_t count, size_t channels, const float *map, size_t block_step, float *mean,
                          float *maximum, int32_t *channel);
    void (*spread_channel)(size_t area, float *d_map, const float *share);
    void (*spread_location)(size_t count, size_t lanes, float *d_map, const float *share);
    void (*dot_lanes)(size_t count, float *sum, const float *a, const float *b);
    void (*multiply_backward)(size_t count, const blan_k_gated_pixels *pixels, bool accumulate);
    void (*sum_lanes)(size_t count, float *out, const float *lanes);

    /* Chains, and the area resampling in front of them: see tiles/chain.h and tiles/area.h. Weights are
       [kernel][kernel][channels][blocks][16]. */
    void (*valid_map)(size_t pixels, size_t blocks, const blan_k_valid_tile *tile, const float *w);
    void (*valid_planes)(size_t pixels, size_t blocks, const blan_k_valid_tile *tile, const float *w);
    void (*pool_valid)(size_t out_width, size_t width, size_t size, size_t count, float *out,
                       const float *const rows[3]);
    void (*sum_bytes)(size_t count, uint32_t *sums, const uint8_t *bytes);
    void (*finish_area)(size_t count, float *values, float rows, const float *columns, float offset, float factor);
} blan_k_tile_table;

extern const blan_k_tile_table blan_k_tiles_portable, blan_k_tiles_avx2, blan_k_tiles_avx512;

/* The table of the instruction set in force. */
const blan_k_tile_table *blan_k_tiles(void);

#endif
